"""The device-timed ejector: a controller that tags each trigger itself and rejects what was not passed in time."""
