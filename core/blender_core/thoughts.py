"""Thoughts that a model writes before its answer are not the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["ThoughtFilter", "behind_thoughts", "without_thoughts"]

_MARKS = (
    *((f"<{tag}>", f"</{tag}>") for tag in ("think", "thinking", "thought", "reasoning")),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
)
"""What opens and what closes them, in small letters."""

_CLOSED = ("</think>\n", "</thinking>\n")
"""A chat template may have written the opening tag, so that only the closing one is in the text."""


def without_thoughts(text: str) -> str:
    r"""The text behind the thoughts that it begins with; nothing, where they never end.

    >>> without_thoughts("<think>Easy.</think> 42"), without_thoughts("<think>Let me see")
    ('42', '')
    >>> without_thoughts("Let me see. 42.\n</think>\n\n42")
    '42'
    >>> without_thoughts("A tag such as <think> opens, </think> closes.")
    'A tag such as <think> opens, </think> closes.'
    """
    shown = _behind(text)
    return text if shown is None else shown.strip()


def _behind(text: str) -> str | None:
    """What stands behind thoughts, as it stands there; None where there are none."""
    small, place = text.lower(), 0
    if len(small) != len(text):  # some letters have no small one of the same length
        small = text
    while (marks := _opened(small, place)) is not None:
        closed = small.find(marks[1], place)
        if closed < 0:
            return ""
        place = closed + len(marks[1])
    if place:
        return text[place:]
    for closing in _CLOSED:
        before, found, _ = f"{small}\n".partition(closing)
        if found and "<think" not in before and before.rstrip(" \t")[-1:] in ("", "\n", ".", "!"):
            return text[len(before) + len(closing) :]
    return None


def _opened(small: str, place: int) -> tuple[str, str] | None:
    """The marks of thoughts that begin at this place, spaces aside."""
    while small[place : place + 1].isspace():
        place += 1
    return next((marks for marks in _MARKS if small.startswith(marks[0], place)), None)


def behind_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """Pieces of a text without the thoughts that it begins with.

    >>> "".join(behind_thoughts(["<thi", "nk>Easy.</th", "ink>", " 4", "2"]))
    '42'
    """
    filtered = ThoughtFilter()
    for piece in pieces:
        if shown := filtered.take(piece):
            yield shown
    if shown := filtered.rest():
        yield shown


class ThoughtFilter:
    """Passes pieces of a text on, but the thoughts that it begins with."""

    def __init__(self) -> None:
        self._held: str | None = ""

    def take(self, piece: str) -> str:
        """What of the text can be shown now."""
        if self._held is None:
            return piece
        self._held += piece
        begun = self._held.lstrip()
        if not begun or (_undecided(begun)):
            return ""
        shown, held = _behind(self._held), self._held
        self._held = None
        return held if shown is None else shown.lstrip()

    def rest(self) -> str:
        """What is left to be shown at the end."""
        held, self._held = self._held, None
        return without_thoughts(held) if held else ""


def _undecided(begun: str) -> bool:
    """Whether thoughts go on here, or may begin; what is shown begins with no space."""
    shown = _behind(begun)
    if shown is not None and not shown.strip():
        return True
    small = (begun if shown is None else shown).lstrip().lower()
    return any(opening.startswith(small) for opening, _ in _MARKS)
