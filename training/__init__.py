"""From folders of photos to a released bundle, with PyTorch."""

from __future__ import annotations

import os

# Read when torch loads its thread pool. Threads that spin while they wait made a step three times slower on a PC that
# also does something else, and no quicker on an idle one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
