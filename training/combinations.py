"""Which options, tasks and numbers of processes go together; what does not is refused before anything is learned."""

from __future__ import annotations

from training.errors import SettingsError
from training.hardware import DEVICE_TASKS
from training.settings import TrainSettings
from training.space import SweepPlan, refuse_unswept
from training.team import Team

_SHARED = ("classify", "segment")  # the tasks that several processes can fit together


def refuse_unshared(team: Team, settings: TrainSettings, plan: SweepPlan | None) -> None:
    """Raise SettingsError for what several processes cannot do together, or a sweep not with these settings."""
    if plan is not None:
        refuse_unswept(settings, plan.over)
    if team.size > 1 and plan is not None:
        raise SettingsError(
            f"--sweep: is done by one process, not by {team.size} — start it without torchrun, then train with the "
            "best values"
        )
    if settings.batch_size % team.size:
        raise SettingsError(
            f"--batch-size {settings.batch_size}: is shared out evenly among {team.size} processes — allowed are its "
            f"multiples — for instance {team.size * (settings.batch_size // team.size + 1)}"
        )


def refuse_foreign(settings: TrainSettings, team: Team, plan: SweepPlan | None, *, defects: bool) -> None:
    """Raise SettingsError for an option, a sweep or several processes, that mean nothing to the task.

    defects: whether there are any among the photos.
    """
    if plan is not None and (settings.task == "anomaly" or (settings.task == "template" and not defects)):
        raise SettingsError(
            f"--sweep: the task {settings.task} learns nothing in epochs from these photos, by whose loss trials could "
            "be compared — classify and segment do, and template where there are defects — leave --sweep out"
        )
    if plan is not None and settings.task == "template" and "backbone" in plan.over:
        raise SettingsError(
            "--sweep-over backbone: the task template compares photos with golden images by a small network of its own "
            "— allowed are the others — leave backbone out"
        )
    if team.size > 1 and settings.task not in _SHARED:
        raise SettingsError(
            f"--task {settings.task}: is fitted by one process, not by {team.size} — several can share "
            f"{', '.join(_SHARED)} — start it without torchrun"
        )
    if settings.weights is not None and settings.task == "template":
        raise SettingsError(
            "--weights: the task template compares photos with golden images by a small network of its own, which "
            "starts from scratch — there is nothing to give it — leave --weights out"
        )
    if settings.method is not None and settings.task != "anomaly":
        raise SettingsError(
            f"--method {settings.method}: is a way to find anomalies and the task is {settings.task} — methods are for "
            "the task anomaly alone — leave it out, or add --task anomaly"
        )
    if settings.task not in DEVICE_TASKS and (settings.device == "cuda" or settings.amp == "on"):
        raise SettingsError(
            f"--device {settings.device}, --amp {settings.amp}: the task {settings.task} learns on the CPU in full "
            f"precision — others are for {', '.join(DEVICE_TASKS)} — leave them out"
        )
