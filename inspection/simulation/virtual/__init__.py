"""A whole line in virtual time: the station's own code between physical parts and a physical ejector."""
