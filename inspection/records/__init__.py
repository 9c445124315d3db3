"""Durable, hash-chained records of every part, and the images worth keeping."""
