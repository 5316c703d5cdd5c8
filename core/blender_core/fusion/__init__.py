"""Fusing: one answer written from the best ones, and the gate that may turn it down."""
