"""The protos say what each method may end with, in words that a program reads, and docs/api.md is made of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from inspection.api import v1
from inspection.api.document import page
from inspection.api.proto_text import comments, described, errors_of, errors_of_every_call
from inspection.api.roles import METHODS

ROOT = Path(__file__).parents[2]
API = ROOT / "inspection" / "api"
OURS = "lineward.inspection.v1"
SERVICES = {
    service.full_name: service for proto in v1.PROTOS for service in proto.services_by_name.values()
}  # by full name
RPCS = [f"{name}.{method.name}" for name, service in SERVICES.items() for method in service.methods]


def test_the_page_is_current() -> None:
    """docs/api.md is what `python -m inspection.api.document docs/api.md` writes."""
    assert (ROOT / "docs" / "api.md").read_text("utf-8") == page()


@pytest.mark.parametrize("rpc", RPCS)
def test_every_method_says_what_it_does_and_how_it_fails(rpc: str) -> None:
    """A sentence, and its errors: each with a code of gRPC, a reason, and when; or none of its own."""
    assert described(rpc)
    for error in errors_of(rpc):
        assert error.when, f"{rpc}: {error.code} {error.reason} does not say when"
        assert error.reason or error.code == "UNAVAILABLE", f"{rpc}: {error.code} has no reason"


def test_every_service_and_every_enum_says_what_it_is() -> None:
    """No heading of the page stands alone."""
    names = [enum.full_name for proto in v1.PROTOS for enum in proto.enum_types_by_name.values()]
    assert [name for name in (*SERVICES, *names) if not comments()[name]] == []


def test_each_command_takes_a_request_id() -> None:
    """Whatever changes something may be sent again; the field has the same number everywhere. Reading has none."""
    for name, access in METHODS.items():
        if not name.startswith(f"/{OURS}."):
            continue
        service, _, method = name[1:].rpartition("/")
        fields = SERVICES[service].methods_by_name[method].input_type.fields_by_name
        assert ("request_id" in fields) == access.is_command, name
        if access.is_command:
            assert fields["request_id"].number == 15, name


REFUSING = {"RefusedError", "_refused", "_missing", "_unauthenticated"}


def reasons_in(file: Path) -> set[str]:
    """Return every reason that a file of the API refuses a call with, as it is written there."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in REFUSING:
            words = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            found |= {word for word in words if isinstance(word, str) and re.fullmatch(r"[A-Z][A-Z_]+", word)}
    return found


def rows_of_refusals() -> set[str]:
    """Return the reasons of the table of domain errors."""
    return set(re.findall(r'_(?:PRECONDITION|MISSING|INVALID), "([A-Z_]+)"', (API / "refusals.py").read_text("utf-8")))


def documented(service: str) -> set[str]:
    """Return the reasons that the proto names for the methods of a service, and those of every call."""
    methods = [f"{OURS}.{service}.{method.name}" for method in SERVICES[f"{OURS}.{service}"].methods]
    return {error.reason for method in methods for error in (*errors_of(method), *errors_of_every_call())}


@pytest.mark.parametrize("file", sorted(API.glob("*_service.py")), ids=lambda file: file.stem)
def test_what_a_service_refuses_with_is_in_its_proto(file: Path) -> None:
    """Each reason in the code of a service is named at its methods."""
    service = "".join(word.title() for word in file.stem.split("_"))
    assert reasons_in(file) <= documented(service)


def test_code_and_protos_know_the_same_reasons() -> None:
    """A reason that no proto names is not in the code, and one that the code never gives is in no proto."""
    in_code = rows_of_refusals().union(*(reasons_in(file) for file in API.glob("*.py")))
    in_protos = {error.reason for rpc in RPCS for error in errors_of(rpc)} | {
        error.reason for error in errors_of_every_call()
    }
    assert in_code == in_protos - {""}
