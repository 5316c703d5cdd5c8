"""A conversation as the question that rankers, judges and fusers read."""

from blender_core.conversations import question_of

__all__ = ["question_of"]
