"""How many tokens a text or messages have, by whoever of the members counts most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import HumanMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable

from langchain_blender.members import Member
from langchain_blender.settings import BlendSettings

__all__ = ["most_tokens"]


def most_tokens(
    blend: BlendSettings, count: Callable[[BaseLanguageModel[Any]], int], counted: Any
) -> int:
    """The most that a member counts.

    A member that cannot count by itself, or not without a network, is estimated. So is a runnable
    that is no model.

    Args:
        blend: of the members; its own ``custom_get_token_ids`` counts before theirs.
        count: asks a model.
        counted: a text or messages.
    """
    own = getattr(blend, "custom_get_token_ids", None)
    estimate = count_tokens_approximately(
        [HumanMessage(counted)] if isinstance(counted, str) else counted
    )
    if own is not None:
        texts = [counted] if isinstance(counted, str) else [str(m.text) for m in counted]
        return sum(len(own(text)) for text in texts)
    counts: list[int] = []
    for member in blend.everyone().values():
        models = [*_models(member)]
        counts += [_counted(model, count, estimate) for model in models] or [estimate]
    return max(counts)


def _counted(
    model: BaseLanguageModel[Any], count: Callable[[BaseLanguageModel[Any]], int], estimate: int
) -> int:
    if not _counts(model):
        return estimate
    try:
        return count(model)
    except Exception:  # noqa: BLE001 - a tokenizer that is not there, or is not known
        return estimate


def _counts(model: BaseLanguageModel[Any]) -> bool:
    """Whether a model has a tokenizer; LangChain's own stand-in would download GPT-2's."""
    words = ("get_token_ids", "get_num_tokens", "get_num_tokens_from_messages")
    own = (getattr(type(model), w) is not getattr(BaseLanguageModel, w) for w in words)
    return model.custom_get_token_ids is not None or any(own)


def _models(member: Member) -> Iterator[BaseLanguageModel[Any]]:
    """The language models of a member."""
    if isinstance(member, BaseLanguageModel):
        yield member
    elif isinstance(member, RunnableBindingBase):
        yield from _models(member.bound)
    elif isinstance(member, RunnableWithFallbacks):
        for runnable in member.runnables:
            yield from _models(runnable)
    elif isinstance(member, DynamicRunnable):
        yield from _models(member.default)
