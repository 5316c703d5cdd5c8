"""What the config of a ranker says, key by key; each is checked where it is read.

Configs of transformers' own models are transformers' business, see `configs`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, Strict, StrictStr

from blender_core.comparison.encoding import Limits, Markers
from blender_core.comparison.late.reading import ReadingLimits, ReadingMarkers
from blender_core.models.descriptions import Description, Length, Name, TokenId

__all__ = ["Hf", "Kind", "Late", "Original", "Own", "Small", "Worth"]

Outputs = Annotated[int, Strict(), Field(ge=1, le=1024)]
DropOut = Annotated[float, Strict(), Field(ge=0.0, lt=1.0)]


class Kind(Description):
    """What tells whose config it is, and where the rest of the checkpoint lies."""

    ranker_type: Name | None = None
    model_name: Name | None = None
    architectures: list[Name] | None = None


class _Ours(Description):
    """What our own layouts have in common."""

    encoder: dict[str, Any]
    source_max_length: Length
    candidate_max_length: Length
    drop_out: DropOut


class Own(_Ours):
    """Our own layout."""

    markers: Markers
    n_tasks: Outputs

    @property
    def limits(self) -> Limits:
        """Tokens of the parts of a row."""
        return Limits(self.source_max_length, self.candidate_max_length)


class Late(_Ours):
    """Our own layout of comparators that read each answer once."""

    style: list[StrictStr]
    markers: ReadingMarkers

    @property
    def limits(self) -> ReadingLimits:
        """Tokens of question and answer."""
        return ReadingLimits(self.source_max_length, self.candidate_max_length)


class Worth(Description):
    """Our own layout of comparators that say what each answer is worth."""

    encoder: dict[str, Any]
    figures: list[StrictStr]
    part_length: Length
    width: Outputs
    drop_out: DropOut


class Small(Description):
    """Our own layout of what a language model corrects in the shipped ranker."""

    language_model: Name
    base_sha256: Name
    figures: list[StrictStr]
    width: Outputs


class Original(Kind):
    """``llm-blender/PairRM``, and LLM-Blender's pointwise rankers."""

    ranker_type: Name
    source_maxlength: Length
    candidate_maxlength: Length
    n_tasks: Outputs = 1
    drop_out: DropOut = 0.05


class Hf(Description):
    """``llm-blender/PairRM-hf``: the encoder's config with these added."""

    source_prefix_id: TokenId
    cand1_prefix_id: TokenId
    cand2_prefix_id: TokenId
    cand_prefix_id: TokenId
    n_tasks: Outputs = 1
    drop_out: DropOut = 0.05
