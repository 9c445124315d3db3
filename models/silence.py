"""Keeps the libraries below from telephoning: a plant's PC stays silent, and nobody there was asked."""

from __future__ import annotations

import os
import sys


def keep_silent() -> None:
    """Switch off what ONNX Runtime and OpenVINO would report to their makers; call before either is imported.

    ONNX Runtime for Linux sends what it runs on and what it loads, and keeps a number for the machine in the home
    directory; its own variable ends that, also in processes that are started from here. OpenVINO sends a first event as
    soon as it is imported, and does without where the package that sends is missing, as which Python takes None here.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
