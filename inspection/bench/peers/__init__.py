"""Other software that serves the same model, measured beside the station: each file runs in an environment of its own.

These scripts import nothing of ours: `python FILE REQUEST.json` prints one JSON object.
"""
