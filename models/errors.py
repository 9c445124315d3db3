"""What can go wrong with a model bundle.

ModelError                      anything below
├── BundleNotFoundError         nothing is at the path, or the zoo has no such name: mend the reference
├── BundleFormatError           it is no bundle: no card, a broken card, another schema version, an unsafe archive
├── BundleIntegrityError        it was one: a file is missing, not listed, or has another sha256
├── BundleWriteError            the bundle cannot be written: disk full, no permission
│   └── BundleExistsError       the place to write to holds something that must not be replaced
├── GraphError                  model.onnx is no ONNX model or does not fit the card
├── SessionError                the execution provider is missing or not in use, or the inference failed
│   └── SessionAwayError        a model elsewhere gives no sound answer now; its session goes on trying by itself
├── ParityError                 the golden vectors or the batches miss the card's tolerance
└── PixelError                  an array is no image that fits the call
"""

from __future__ import annotations


class ModelError(Exception):
    """Base of all errors of this folder; `exit_code` is what a command line ends with."""

    exit_code = 1


class BundleNotFoundError(ModelError):
    """Nothing is where the reference points."""

    exit_code = 2


class BundleFormatError(ModelError):
    """What was found is not a bundle that this release can read."""


class BundleIntegrityError(ModelError):
    """The files are not the ones that the card lists."""


class BundleWriteError(ModelError):
    """The bundle cannot be written where it was asked for; what was there is as it was."""


class BundleExistsError(BundleWriteError):
    """Something is there that must not be replaced."""

    exit_code = 2


class GraphError(ModelError):
    """The graph is not the one that the card describes."""


class SessionError(ModelError):
    """The model cannot be executed as asked."""


class SessionAwayError(SessionError):
    """No sound answer came for this batch; the next may be answered again."""


class ParityError(ModelError):
    """The scores on this machine are not the scores that the bundle states."""


class PixelError(ModelError):
    """An array is not an image that the call accepts."""
