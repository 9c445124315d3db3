"""Video4Linux2, spoken to the kernel directly: no library in between."""
