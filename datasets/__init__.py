"""Labelled images: reading, checking, splitting and rendering them. Names load their file when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets.duplicates import Duplicates as Duplicates
    from datasets.duplicates import find_duplicates as find_duplicates
    from datasets.errors import DatasetError as DatasetError
    from datasets.errors import ImageError as ImageError
    from datasets.reader import load_image as load_image
    from datasets.reader import load_sample as load_sample
    from datasets.reader import read_dataset as read_dataset
    from datasets.sample import Dataset as Dataset
    from datasets.sample import Sample as Sample
    from datasets.splits import Split as Split
    from datasets.splits import split_dataset as split_dataset

_FILE_OF_NAME = {
    "Dataset": "sample",
    "DatasetError": "errors",
    "Duplicates": "duplicates",
    "ImageError": "errors",
    "Sample": "sample",
    "Split": "splits",
    "find_duplicates": "duplicates",
    "load_image": "reader",
    "load_sample": "reader",
    "read_dataset": "reader",
    "split_dataset": "splits",
}


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF_NAME:
        raise AttributeError(f"module 'datasets' has no attribute '{name}'")
    return getattr(import_module(f"datasets.{_FILE_OF_NAME[name]}"), name)
