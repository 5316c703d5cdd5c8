"""Training of rankers and fusers.

`ranker_trainer` and `fuser_trainer` are the two ways to learn that there are. Another one is one
more file beside them: `run` brings what all share (checkpoints that are written whole or not at
all, resuming, interruption, the log), `start` a model to begin with.
"""
