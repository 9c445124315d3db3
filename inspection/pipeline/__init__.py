"""The hot path between frame and verdict: batch, prepare, infer, decide."""
