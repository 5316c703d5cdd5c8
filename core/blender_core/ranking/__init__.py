"""Ranking answers: schedules, aggregations, and the rankers that use them."""
