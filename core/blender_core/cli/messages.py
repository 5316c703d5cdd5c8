"""What goes to stderr, the exit codes, and how hostile text is made harmless for a terminal."""

from __future__ import annotations

import sys
import unicodedata

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "USAGE",
    "Complaints",
    "one_line",
    "say",
    "shows_progress",
    "visible",
]

FAILED = 1
"""Some lines could not be answered; the others were."""

USAGE = 2
"""The arguments, a file or a checkpoint are not usable."""

INTERRUPTED = 130
"""Ctrl-C, as shells count it: 128 + SIGINT."""

_REORDERING = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_CONTROL_PICTURES = 0x2400
_DELETE = 0x7F


def visible(text: str) -> str:
    r"""The text with every character that could steer a terminal made visible.

    Line breaks and tabs stay. Other control characters become their pictures or escapes, as do
    marks that reorder text; a lone surrogate becomes U+FFFD.

    >>> visible("\x1b[31mred\x9b")
    '␛[31mred\\x9b'
    """
    return "".join(map(_visible, text.replace("\r\n", "\n")))


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category == "Cc":
        code = ord(character)
        if code < ord(" "):
            return chr(_CONTROL_PICTURES + code)
        return "\u2421" if code == _DELETE else f"\\x{code:02x}"
    if character in _REORDERING or category in ("Zl", "Zp"):
        return f"\\u{ord(character):04x}"
    return character


def one_line(text: str) -> str:
    """The visible text with all white space, line breaks included, as single blanks."""
    return " ".join(visible(text).split())


def say(message: str) -> None:
    """Write one line to stderr, above a progress bar if there is one."""
    from tqdm import tqdm

    encoding = sys.stderr.encoding or "utf-8"
    line = one_line(message).encode(encoding, "backslashreplace").decode(encoding)
    tqdm.write(line, file=sys.stderr)


class Complaints:
    """Tells what is wrong with lines; the same said of line after line is told a few times only."""

    _TOLD = 3

    def __init__(self) -> None:
        self._reason: str | None = None
        self._times = 0

    def tell(self, where: str, reason: str) -> None:
        """Say it of a place, unless it was said of the places just before."""
        if reason != self._reason:
            self.end()
            self._reason = reason
        self._times += 1
        if self._times <= self._TOLD:
            say(f"{where}: {reason}")

    def end(self) -> None:
        """Say of how many more places the last one is true."""
        if self._times > self._TOLD:
            say(f"... and {self._times - self._TOLD} more lines: {self._reason}")
        self._reason, self._times = None, 0


def shows_progress(*, quiet: bool) -> bool:
    """Whether somebody looks at stderr and wants a progress bar there."""
    return not quiet and sys.stderr.isatty()
