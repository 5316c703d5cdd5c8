"""Scoring one answer at a time: reward models and other rankers that see no second answer."""
