"""Passive camera drivers: frames, the Camera interface and one file per backend."""

from camera.backends import Discovered, discover, make_camera, options_model
from camera.errors import CameraError, CameraLostError, CameraOpenError, CameraOptionsError
from camera.frame import Frame, Pixels, Trigger
from camera.interface import Camera
from camera.scene import Scene

__all__ = [
    "Camera",
    "CameraError",
    "CameraLostError",
    "CameraOpenError",
    "CameraOptionsError",
    "Discovered",
    "Frame",
    "Pixels",
    "Scene",
    "Trigger",
    "discover",
    "make_camera",
    "options_model",
]
