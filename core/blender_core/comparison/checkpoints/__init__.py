"""Checkpoints on disk: finding the files, reading the weights, and the layouts in the wild."""
