"""Metrics, and how well rankers, fusers and single models do."""
