"""The row of this package's camera: it is read whenever cameras are listed, so it imports no SDK."""

from camera.backends import Backend

BACKEND = Backend(
    name="socketcam",
    module="socketcam.camera",
    camera_class="SocketCamera",
    summary="a camera behind a Unix socket",
    is_device=True,
)
