"""Comparing two answers: what a comparator is, and the cross-encoder that is one."""
