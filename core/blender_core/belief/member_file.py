"""The file of what is known of members: JSON, held against one description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError

from blender_core.belief.outcome import Outcome
from blender_core.errors import CheckpointError, InputError
from blender_core.json_values import parsed
from blender_core.validation import reason, sentences

if TYPE_CHECKING:
    from blender_core.belief.member_prior import MemberPrior

__all__ = ["read", "text_of"]

_FORMAT = "blended-llm/member-prior"

Text = InstanceOf[str]
"""As JSON gives it: a name may have lone surrogates."""

Weight = Annotated[float, Field(ge=0, le=1e9)]
Spread = Annotated[float, Field(ge=1e-3, le=1e3)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Outcome(_Strict):
    a: Text
    b: Text
    won: Annotated[float, Field(ge=0, le=1e12)]
    kind: Text | None = None
    of: Annotated[float, Field(gt=0, le=1e12)]


class _File(_Strict):
    format: Literal["blended-llm/member-prior"]
    by: Text | None
    beside: Text | None
    weight: Weight
    ranker_weight: Weight
    spread: Spread
    kind_spread: Spread
    outcomes: list[_Outcome]


def text_of(prior: MemberPrior) -> bytes:
    """What the file holds: the same for the same prior."""
    outcomes = [
        {key: part for key, part in one._asdict().items() if part is not None}
        for one in prior.outcomes
    ]
    head = {
        "format": _FORMAT,
        "by": prior.by,
        "beside": prior.beside,
        "weight": prior.weight,
        "ranker_weight": prior.ranker_weight,
        "spread": prior.spread,
        "kind_spread": prior.kind_spread,
    }
    text = json.dumps({**head, "outcomes": outcomes}, indent=1, allow_nan=False)
    return f"{text}\n".encode()


def read(path: Path) -> MemberPrior:
    """The prior in a file.

    Raises:
        CheckpointError: there is no such file, or it is broken.
    """
    from blender_core.belief.member_prior import MemberPrior

    try:
        told = _File.model_validate(parsed(path.read_bytes()))
        return MemberPrior(
            tuple(Outcome(**one.model_dump()) for one in told.outcomes),
            spread=told.spread,
            kind_spread=told.kind_spread,
            by=told.by,
            weight=told.weight,
            ranker_weight=told.ranker_weight,
            beside=told.beside,
        )
    except (InputError, OSError, ValidationError) as error:
        why = sentences(error) if isinstance(error, ValidationError) else reason(error)
        raise CheckpointError(
            f"{path}: not what is known of members: {why}. Make it with blended-llm fit-members"
        ) from error
