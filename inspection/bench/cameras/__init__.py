"""What the camera drivers reach beside the bare SDKs, on real counterparts that run without hardware."""
