"""What a good part looks like, learned from good parts alone: features of its places, distances, a calibrated score."""
