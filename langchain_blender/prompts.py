"""Prompt templates that users may replace are checked where they come in."""

from __future__ import annotations

from typing import Any

from langchain_core.prompts.base import BasePromptTemplate

from blender_core.errors import InputError

__all__ = ["check_variables"]


def check_variables(prompt: BasePromptTemplate[Any], needed: set[str], offered: set[str]) -> None:
    """Check that a prompt can be filled.

    Raises:
        InputError: it is no prompt template, lacks a needed variable, or asks for an unknown one.
    """
    if not isinstance(prompt, BasePromptTemplate):
        raise InputError(f"'prompt' must be a prompt template, got {type(prompt).__name__}")
    variables = set(prompt.input_variables)
    if missing := needed - variables:
        raise InputError(f"the prompt has no variable {sorted(missing)}")
    if unknown := variables - needed - offered:
        raise InputError(
            f"the prompt asks for {sorted(unknown)}; there are {sorted(needed | offered)}"
        )
