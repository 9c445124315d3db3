"""The contract against a camera that is connected: what it is, is found out by opening it once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from camera.backends import make_camera, options_model
from camera.contract.checks import CHECKS, Check, promise
from camera.contract.expecting import ContractError, LossError, NotTriedError
from camera.contract.under_test import CameraUnderTest
from camera.scene import Scene

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check. problem: why it does not hold; not_tried: why nothing could show it; "" where not so.

    lost: the pictures that were lost on their way while it was tried, one sentence an attempt, each told of by the
    driver; as long as any is lost, the promise can be neither kept nor broken.
    """

    check: str
    promise: str
    problem: str
    not_tried: str
    lost: tuple[str, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """True where it was tried and nothing was found."""
        return not self.problem and not self.not_tried


def row_of(
    backend: str, name: str, options: Mapping[str, object], scene: Scene | None, frames: int, patience_s: float
) -> CameraUnderTest:
    """Open the camera once, and return the row of what it says of itself. Raises CameraError."""
    known = options_model(backend).model_fields
    endless = {"loop": True} if "loop" in known else {"parts": None} if "parts" in known else {}
    options = {**endless, **options}
    with make_camera(backend, name, options, scene=scene) as camera:
        commanded = options if camera.takes_software_trigger else None
        return CameraUnderTest(
            backend,
            options,
            slow={} if commanded is not None else None,
            commanded=commanded,
            free_running=not camera.reports_triggers,
            handshake=camera.waits_for_host,
            stamped=False,
            link_may_lose=True,
            scene=scene,
            camera_name=name,
            parts=frames,
            patience_s=patience_s,
        )


def run_checks(row: CameraUnderTest) -> Iterator[Outcome]:
    """Run all checks, one after another; yield what came of each. One in which pictures were lost is tried again."""
    for name, check in CHECKS.items():
        begun = time.monotonic()
        lost: list[str] = []
        while len(lost) < _ATTEMPTS:
            try:
                problem, not_tried = _found(check, row)
                break
            except LossError as error:
                lost.append(str(error))
        else:
            problem, not_tried = "", f"pictures were lost on their way, {_ATTEMPTS} times in {_ATTEMPTS} attempts"
        yield Outcome(name, promise(check), problem, not_tried, tuple(lost), time.monotonic() - begun)


def _found(check: Check, row: CameraUnderTest) -> tuple[str, str]:
    try:
        check(row)
    except LossError:
        raise
    except NotTriedError as error:
        return "", str(error)
    except ContractError as error:
        return str(error), ""
    except Exception as error:  # noqa: BLE001 - a driver of others: whatever it raises is its finding
        return f"{type(error).__name__}: {error}", ""
    return "", ""
