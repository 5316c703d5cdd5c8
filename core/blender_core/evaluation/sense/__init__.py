"""A battery of common sense: good answers against spoilt ones, kind by kind.

In the manner of CheckList (Ribeiro et al., ACL 2020): each kind of spoiling asks for one thing that
everybody sees, such as that an answer is better than a refusal. All texts were written for it, and
none of them is for training.
"""

from __future__ import annotations

from blender_core.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__, __file__)
