"""How much of a text the similarities read."""

from __future__ import annotations

__all__ = ["ends"]

_HALF = 10_000


def ends(text: str) -> str:
    """The first and the last 10,000 characters of a longer text, white space around it aside.

    Answers are shorter; of a megabyte, comparing all would take seconds (`chrf`) to hours
    (`rouge_l`), and what it says first and last is what it comes to.

    >>> len(ends("a" * 1_000_000))
    20001
    """
    if len(text) <= 2 * _HALF:
        return text
    text = text.strip()  # not blank, so that neither is its beginning
    return text if len(text) <= 2 * _HALF else f"{text[:_HALF]}\n{text[-_HALF:]}"
