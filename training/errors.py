"""What can go wrong between folders of photos and a released model.

TrainingError                       anything below
├── MissingExtraError               the training stack is not installed: pip install 'lineward[train]'
├── SettingsError                   an option is out of its bounds or does not fit another one
├── TrainingDataError               the images cannot be trained on (one class, a class with too few groups)
├── WeightsError                    the weights to start from cannot be read or belong to another network
├── UnfinishedRunError              beside the bundle lies an unfinished run with other settings or other images
├── RunFolderFullError              the state or the images of a run cannot be written: the disk is full, say
├── DivergedError                   the loss is no number any more
├── TeamError                       a process of several lost the others, or they cannot share this work
├── EvaluationError                 the images and the bundle do not fit each other
├── ReleaseRefusedError             the exported model is not the trained one: nothing was written
└── TrainingInterrupted             Ctrl-C: the finished epochs are kept, the same command goes on
"""

from __future__ import annotations


class TrainingError(Exception):
    """Base of all errors of this folder; `exit_code` is what a command line ends with."""

    exit_code = 1


class MissingExtraError(TrainingError):
    """A library of the extra `train` is not installed."""


class SettingsError(TrainingError):
    """The options describe no training run."""

    exit_code = 2


class TrainingDataError(TrainingError):
    """The images cannot be trained on."""

    exit_code = 2


class WeightsError(TrainingError):
    """The weights to start from do not fit."""

    exit_code = 2


class UnfinishedRunError(TrainingError):
    """An unfinished run of something else is in the way."""

    exit_code = 2


class RunFolderFullError(TrainingError):
    """The folder of the run took no more; what it held before is kept."""


class DivergedError(TrainingError):
    """The weights ran away: nothing can be learned from there."""


class TeamError(TrainingError):
    """The processes of one run cannot work together."""


class EvaluationError(TrainingError):
    """The bundle and the images do not belong together."""

    exit_code = 2


class ReleaseRefusedError(TrainingError):
    """The exported graph misses a promise of the bundle."""


class TrainingInterrupted(TrainingError):  # noqa: N818  (an interruption is no error of anybody)
    """The person stopped the run; what was finished is kept."""

    exit_code = 130
