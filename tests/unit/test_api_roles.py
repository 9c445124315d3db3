"""The table of roles fits the services, admits nobody by accident, and is what the documentation shows."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import inspection.api.pb
from inspection.api.roles import METHODS, Role, differences, markdown_table
from inspection.api.roles_document import with_table


def served_methods() -> list[str]:
    """Every method of every service in the generated files, and of the two that come with grpc."""
    modules: list[ModuleType] = [health_pb2, reflection_pb2]
    names = [found.name for found in pkgutil.iter_modules(inspection.api.pb.__path__)]
    modules += [importlib.import_module(f"inspection.api.pb.{name}") for name in names if name.endswith("_pb2")]
    return [
        f"/{service.full_name}/{method.name}"
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def test_each_method_has_a_row_and_each_row_a_method() -> None:
    """Nothing is missing and nothing is dead."""
    assert differences(served_methods()) == []


def test_a_difference_is_named() -> None:
    """What is missing is told by its full name, and so is a row that no service has any more."""
    served = [name for name in served_methods() if not name.endswith("/Stop")] + ["/some.Service/New"]
    new, dead = differences(served)
    assert new.startswith("/some.Service/New has no row")
    assert dead.startswith("/lineward.inspection.v1.StationService/Stop has a row")


def test_admin_may_call_everything() -> None:
    """No row leaves the admin out."""
    assert [name for name, access in METHODS.items() if not access.is_public and Role.ADMIN not in access.roles] == []


def test_a_viewer_changes_nothing() -> None:
    """No command names the viewer, and none is open to everybody."""
    for name, access in METHODS.items():
        if access.is_command:
            assert access.roles, name
            assert Role.VIEWER not in access.roles, name


def test_only_health_is_open() -> None:
    """Without a token there is health, and nothing else."""
    public = {name for name, access in METHODS.items() if access.is_public}
    assert {name.rpartition("/")[0] for name in public} == {"/grpc.health.v1.Health"}


def test_the_page_of_the_documentation_has_each_method() -> None:
    """The Markdown table has a line for each method, with a mark for each role."""
    lines = markdown_table().splitlines()
    assert len(lines) == 2 + len(METHODS)
    (stop,) = [line for line in lines if "StationService.Stop" in line]
    assert stop == "| `StationService.Stop` | – | ✓ | ✓ | ✓ | ✓ | command, always carried out |"


def test_the_page_about_security_is_current() -> None:
    """docs/security.md is what `python -m inspection.api.roles_document docs/security.md` writes."""
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    assert with_table(page) == page
