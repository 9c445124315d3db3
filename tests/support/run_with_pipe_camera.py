"""`lineward`, with the tests' camera as one more row of the table of backends."""

from camera.backends import BACKENDS, Backend
from inspection.cli.main import main

BACKENDS["pipe"] = Backend("pipe", "pipe_camera", "PipeCamera", "a camera whose device is the test", "numpy")

if __name__ == "__main__":
    main()
