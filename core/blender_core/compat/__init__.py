"""LLM-Blender's names over our core: code written for its `Blender` runs after one changed line.

``from blender_core import compat as llm_blender`` in place of ``import llm_blender``; argument
names, defaults, result types and scales are those of the original (arXiv 2306.02561, version of
April 2024). What differs does so on purpose:

* A result never depends on its neighbours in a batch, and no text in an answer acts as a marker.
* ``compare(mode="[B,A]")`` is > 0 where A is better, as documented; the original has the sign of B.
* Unknown modes and misspelled arguments are errors; the original takes them for the default.
* Inputs may have different numbers of candidates: `Blender.rank` then gives a list of arrays
  instead of one array.
* Best-of-n results are plain lists, and the caller's own lists are never changed.
* ``device=None`` takes an accelerator if there is one, else the CPU.
* Inner modules such as ``llm_blender.blender.blender_utils`` are not imitated; what its README
  takes from there, `get_topk_candidates_from_ranks`, is here.
* There are no config classes: `Blender.loadranker` and `Blender.loadfuser` take the options of
  ``from_pretrained``.
"""

from __future__ import annotations

from blender_core.compat.blender import Blender
from blender_core.compat.rows import get_topk_candidates_from_ranks

__all__ = ["Blender", "get_topk_candidates_from_ranks"]
