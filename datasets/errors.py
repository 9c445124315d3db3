"""What can be wrong with labelled images.

DatasetError                the folder, its classes or its groups cannot be used: mend the data, try again
└── ImageError              one image file cannot be used (empty, cut off, too large, not what its name says)
"""

from __future__ import annotations


class DatasetError(Exception):
    """Base of all data set errors; `exit_code` is what a command line ends with."""

    exit_code = 2


class ImageError(DatasetError):
    """One image file cannot be used."""
