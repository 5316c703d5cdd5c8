"""From rows of token ids to the vectors at their three markers."""

from __future__ import annotations

from blender_core.comparison.encoders.deberta import DebertaEncoder
from blender_core.comparison.encoders.encoder import MarkerEncoder
from blender_core.comparison.encoders.plain import PlainEncoder
from blender_core.comparison.encoders.seq2seq import Seq2SeqEncoder

__all__ = ["DebertaEncoder", "MarkerEncoder", "PlainEncoder", "Seq2SeqEncoder"]
