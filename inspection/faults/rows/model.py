"""What can go wrong with the model and its verdicts."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import ANY, UNSAFE, Fault, NotCaused
from inspection.faults.rows import says

MODEL_REFUSED = Fault(
    name="model_refused",
    what="the model's files are broken, or its golden vectors miss the card's tolerance",
    station="does not start: one sentence with the reason, exit status 1; no port is opened, no part is released",
    ejector=says.SILENT,
    recovers="when a sound bundle is in its place and the station is started again",
    test="tests/integration/test_fault_start.py::test_fault_model_refused",
)

RECIPE_LOST = Fault(
    name="recipe_lost",
    what="the recipe that was prepared before the station's program ended is gone, changed, or fits no longer",
    alarm="RECIPE_LOST",
    station="opens without a prepared recipe (INITIALIZED): the line does not start, with another recipe least of all",
    ejector=says.REJECTS,
    recovers="when a recipe is prepared",
    test="tests/integration/test_station_lots.py::test_a_recipe_that_is_gone_leaves_the_station_initialized",
)

MODEL_FAILED = Fault(
    name="model_failed",
    what="the model fails while the line runs",
    alarm="MODEL_FAILED",
    station="the parts in hand and every later one are rejected (SYSTEM or LATE); nothing passes",
    ejector=says.REJECTS,
    recovers="start the station again: a model that failed once is not trusted again by itself",
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_fault_parts.py::test_fault_model_failed",
)

MODEL_REMOTE_LOST = Fault(
    name="model_remote_lost",
    what='the model\'s server (`engine = "kserve"`) is away, late, answers with what cannot be scores, or has another '
    "model than the bundle's golden vectors say",
    alarm="MODEL_REMOTE_LOST",
    station="the parts in hand and every later one are rejected (SYSTEM, or LATE at their deadline); nothing passes",
    ejector=says.REJECTS,
    recovers="by itself when the server answers again and gives the scores of the golden vectors",
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_kserve_remote.py::test_a_killed_server_rejects_and_comes_back",
)

PROVIDER_LOST = Fault(
    name="provider_lost",
    what="the GPU or another execution provider is lost, or is not the one asked for",
    alarm="MODEL_FAILED",
    station="lost while running: as model_failed, there is no silent fall-back; not there at the start: as "
    "model_refused",
    ejector=says.REJECTS,
    recovers="start the station again when the device is back",
    goes_with="model_failed",
    test=NotCaused(
        "there is no accelerator to take away",
        "tests/unit/test_models_session.py::test_provider_that_is_not_there_is_refused",
    ),
)

INFERENCE_STALLED = Fault(
    name="inference_stalled",
    what="one batch takes longer than 2 s, or an inference thread has ended",
    alarm="INFERENCE_STALLED",
    station="nothing passes; parts that wait are rejected (LATE) at their deadline",
    ejector=says.REJECTS,
    recovers="by itself when the batch ends",
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_fault_parts.py::test_fault_inference_stalled",
)

LATE_VERDICTS = Fault(
    name="late_verdicts",
    what="three verdicts in a row come too late",
    alarm="LATE_VERDICTS",
    station="each such part is rejected (LATE); the others are judged as ever",
    ejector=says.ONE_PART,
    recovers="15 s after the last late one",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_parts.py::test_fault_queue_full",
)

QUEUE_FULL = Fault(
    name="queue_full",
    what="more parts wait for the model than the queue holds",
    alarm="LATE_VERDICTS",
    station="the part that finds no room is rejected (LATE) and counted (`queue_refused`)",
    ejector=says.ONE_PART,
    recovers="when there is room again",
    goes_with="late_verdicts",
    test="tests/integration/test_fault_parts.py::test_fault_queue_full",
)

REJECTS_IN_A_ROW = Fault(
    name="rejects_in_a_row",
    what="as many parts in a row as `rejects_in_a_row_limit` were not OK: the process, the light or the camera has "
    "changed",
    alarm="REJECTS_IN_A_ROW",
    station="goes on judging",
    ejector=says.NOTHING,
    recovers="with the first part that is OK again",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_parts.py::test_fault_rejects_in_a_row",
)

UNKNOWN_LOOK = Fault(
    name="unknown_look",
    what="parts look like nothing the model has learned: another product, a foreign object, a camera or light that has "
    "changed",
    alarm="UNKNOWN_LOOK",
    station="each such part is rejected (OUT_OF_DISTRIBUTION) whatever its score; after 3 in a row somebody is told. "
    "Only models whose card has a limit of novelty tell it",
    ejector=says.ONE_PART,
    recovers="with the first part whose look is known",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_novelty_line.py::test_an_unknown_object_never_passes_and_known_parts_do",
)
