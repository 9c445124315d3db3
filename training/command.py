"""What `lineward train` does: prepare, fit, with a plan sweep before that, and release."""

from __future__ import annotations

from training.combinations import refuse_unshared
from training.errors import SettingsError, TrainingInterrupted
from training.hardware import choose_device
from training.job import Job
from training.preparing import Prepared, prepare
from training.release import Release
from training.run import train_model
from training.runfolder import RunFolder
from training.screen import Screen
from training.tasks.table import find_task
from training.tasks.task import Watched
from training.team import join_team, leave_team


def run_training(job: Job) -> Release:
    """Train on labelled photos and write the bundle; raise DatasetError, ModelError or TrainingError.

    In a process that torchrun started and that only computes, this ends with SystemExit.
    """
    team = join_team(choose_device(job.settings.device))
    refuse_unshared(team, job.settings, job.plan)
    screen = Screen(silent=not team.leads)
    folder = RunFolder(job.out, every_s=job.every_s, say=screen.say, writes=team.leads, logs=job.logs)
    try:
        ready = team.after_the_first(lambda: prepare(job, folder, screen, team))
        return _fit(ready, job, folder, screen)
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            f"interrupted — what was finished is kept in {folder.path} — give the same command again to go on"
        ) from None
    finally:
        leave_team()


def _fit(ready: Prepared, job: Job, folder: RunFolder, screen: Screen) -> Release:
    """Fit and release what was prepared; with a plan, what its best trial came to."""
    material, settings, start = ready.material, ready.settings, ready.start
    if job.plan is not None:
        from training.sweep import sweep

        task = find_task(settings.task)
        if not (isinstance(task, Watched) and task.has_epochs(material)):
            raise SettingsError(
                f"--sweep: the task {settings.task} fits nothing in epochs to these images, so that trials cannot be "
                "compared — classify and segment do, and template where there are defects — leave --sweep out"
            )
        chosen = sweep(job.plan, task, ready.source, settings, start, material, folder, screen)
        material, settings, start = chosen.material, chosen.settings, chosen.start
    return train_model(material, settings, start, job.target, folder, screen, ready.conditions)
