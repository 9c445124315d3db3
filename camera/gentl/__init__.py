"""Cameras of any vendor that gives a GenTL producer (.cti)."""
