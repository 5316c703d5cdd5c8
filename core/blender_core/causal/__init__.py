"""Causal language models: loading them, and reading what they make of a text."""
