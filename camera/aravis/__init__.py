"""GigE Vision and USB3 Vision cameras through libaravis, bound with ctypes alone."""
