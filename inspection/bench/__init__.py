"""Measurements that `lineward bench` prints, as ratios against a reference in the same run."""
