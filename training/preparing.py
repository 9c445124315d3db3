"""From what is asked for to what the first step needs: settings that fit the photos, and the photos at that size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from datasets.parts import has_places
from training.combinations import refuse_foreign
from training.conditions import Conditions
from training.images import Source
from training.inputsize import plan_input
from training.job import Job
from training.material import Material, mark_test
from training.network import Start, build_network
from training.opening import open_job
from training.pictures import learn_pictures
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.source_told import tell_source
from training.tasks.table import find_task
from training.team import Team


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run needs before the first step: a plain value."""

    source: Source
    settings: TrainSettings
    start: Start
    material: Material
    conditions: Conditions


def prepare(job: Job, folder: RunFolder, screen: Screen, team: Team) -> Prepared:
    """Read the photos, settle the input size, make the run's folder and load; refuse before that what cannot work.

    Of several processes only the leading one makes the folder and learns the limits of pictures.
    """
    if team.leads:
        job.target.refuse_taken()
    opened = open_job(job)
    source, start = opened.source, opened.start
    settings = job.settings.model_copy(update={"task": source.task})
    if source.task != "template":  # that compares with a small network of its own
        screen.say(f"{settings.backbone}, {start.told}")
    screen.say(f"task {source.task}: {source.why}")
    refuse_foreign(settings, team, job.plan, defects=len(source.dataset.classes) > 1)
    plan = plan_input(source, settings)
    settings = settings.model_copy(update=plan.settings())
    build_network(settings.backbone, len(source.classes), start)  # refuses weights that do not fit, early
    for line in (*tell_source(source), *plan.told):
        screen.say(line)
    if team.leads:
        folder.open(_identity(job, source, settings, start), restart=job.restart)
    material = replace(_load(source, settings, folder, screen, team), smallest_defect_px=plan.smallest_defect_px)
    conditions = replace(opened.conditions, novelty=job.novelty_limit)
    if job.picture_limits and team.leads:
        screen.say("limits of focus, exposure and position …")
        whole = material.boxes is not None and has_places(source.dataset.samples)
        conditions = replace(conditions, pictures=learn_pictures(source, settings.threads, whole))
    return Prepared(source, settings, start, material, conditions)


def _load(source: Source, settings: TrainSettings, folder: RunFolder, screen: Screen, team: Team) -> Material:
    """Load the images as the task needs them, and the masks of the test images for the one that releases."""
    with screen.bar("loading images", len(source.dataset.samples)) as advance:
        material = find_task(settings.task).load(source, settings, folder, advance)
    source.refuse_changed()
    if team.leads and (source.task != "classify" or material.boxes is not None):
        return mark_test(material, source, folder, settings.threads)
    return material


def _identity(job: Job, source: Source, settings: TrainSettings, start: Start) -> dict[str, object]:
    """Give all that must be the same for an unfinished run to go on."""
    told = {
        **settings.model_dump(mode="json"),
        "weights": start.told,
        "name": job.target.name,
        "photos": len(source.dataset.samples),
        "images": source.digest,
        "good": source.dataset.good,
    }
    if source.split_sha256 is not None:
        told["split"] = source.split_sha256
    return told if job.plan is None else {**told, "sweep": list(job.plan.over)}
