"""Generated stubs of `proto/lineward/inspection/v1`; written by `python -m inspection.api.generate`, never by hand."""
