"""Fits a lesson to its last epoch, from where an earlier start left it, and tells how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable

from training.fitting import Epoch, Fitting
from training.lesson import Lesson
from training.runfolder import RunFolder
from training.runlog import RunLog
from training.screen import Screen, duration
from training.settings import TrainSettings
from training.statements import count_of

Watch = Callable[[Epoch], None]

# A forward pass of validation or test images costs about a third of a training step on as many.
_FORWARD_SHARE = 0.4


def fit_epochs(
    lesson: Lesson,
    settings: TrainSettings,
    folder: RunFolder,
    screen: Screen,
    watch: Watch,
    *,
    held_out: tuple[int, int] = (0, 0),
    begin: Callable[[], None] | None = None,
) -> list[dict[str, float | int | None]]:
    """Fit to the end, with the state kept as the folder asks for it; gives a row an epoch. The lesson ends on the CPU.

    watch: gets every epoch when its state is kept, also those of an earlier start; what it raises ends the fitting.
    held_out: how many images are passed forward after each epoch and once at the end; for the estimate alone. begin:
    what is done before the first step of a run that has no state yet.
    """
    fitting = Fitting(lesson, settings)
    fresh = not _go_on(fitting, settings, folder, screen, watch)
    _tell_estimate(fitting, settings, screen, held_out)
    if fresh and begin is not None:
        begin()
        folder.save(fitting.state())
    _run(fitting, settings, folder, screen, watch)
    lesson.cpu()
    return [epoch.as_dict() for epoch in fitting.history]


def _go_on(fitting: Fitting, settings: TrainSettings, folder: RunFolder, screen: Screen, watch: Watch) -> bool:
    """Take up the state that an earlier start kept; False where there is none."""
    state = fitting.team.tell(folder.load() if fitting.team.leads else None)
    if state is None:
        return False
    fitting.restore(state)
    for epoch in fitting.history:
        watch(epoch)
    steps = f" and {count_of(fitting.steps_done, 'step')}" if fitting.steps_done else ""
    screen.say(f"going on after epoch {len(fitting.history)} of {settings.epochs}{steps}, from {folder.path}")
    return True


def _run(fitting: Fitting, settings: TrainSettings, folder: RunFolder, screen: Screen, watch: Watch) -> None:
    steps = fitting.lesson.steps

    def keep() -> None:
        if folder.due():
            folder.save(fitting.state())

    left = steps * (settings.epochs - len(fitting.history)) - fitting.steps_done
    with screen.bar("training", left) as advance, RunLog(folder, len(fitting.history)) as log:
        for _ in range(len(fitting.history), settings.epochs):
            already, begun_ns = fitting.steps_done, time.monotonic_ns()
            loss = fitting.run_epoch(advance, keep)
            speed = (steps - already) * settings.batch_size / (time.monotonic_ns() - begun_ns) * 1e9
            epoch = fitting.close_epoch(loss)
            folder.save(fitting.state())
            log.epoch(
                epoch.number,
                {
                    "loss/training": epoch.train_loss,
                    "loss/validation": epoch.validation_loss,
                    "AUROC/validation": epoch.validation_auroc,
                    "learning rate": fitting.rate,
                    "images per second": speed,
                },
            )
            area = "" if epoch.validation_auroc is None else f", validation AUROC {epoch.validation_auroc:.4f}"
            screen.say(
                f"epoch {epoch.number}/{settings.epochs}: training loss {epoch.train_loss:.4f}, "
                f"validation loss {epoch.validation_loss:.4f}{area}"
            )
            watch(epoch)


def _tell_estimate(fitting: Fitting, settings: TrainSettings, screen: Screen, held_out: tuple[int, int]) -> None:
    step_s = fitting.seconds_per_step()
    left = settings.epochs - len(fitting.history)
    total_s = step_s * (left * fitting.lesson.steps - fitting.steps_done)
    total_s += step_s * _FORWARD_SHARE * (left * held_out[0] + held_out[1]) / settings.batch_size
    screen.say(
        f"about {duration(total_s)} on {settings.threads} thread(s): {left} epoch(s) of {fitting.lesson.steps} steps "
        f"at {step_s * 1000:.0f} ms"
    )
