"""Whether a text answers nothing: a refusal, "I don't know", a placeholder, an error message.

A linear model reads hashed runs of characters at both ends of the text, and a few figures. It was
fitted by ``recipes/nonanswers.py``; its weights are beside this file.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUCKETS", "FIGURES", "figures", "is_nonanswer", "nonanswer_logits", "runs", "shown"]
__all__ += ["says_it_cannot", "surely_nothing"]

HEAD, TAIL = 200, 100
"""Characters that are read: the first, and of what is behind them the last."""

RUNS = (3, 4, 5)
"""Lengths of the runs of characters that count."""

HEAD_BITS, TAIL_BITS = 18, 15
BUCKETS = (1 << HEAD_BITS) + (1 << TAIL_BITS)
"""Of hashes: those of the head, then those of the tail."""

_HATS = 13
FIGURES = _HATS + 2
"""Figures beside the hashes: the length as thirteen classes, lines, a question."""

BLANK = 20.0
"""The logit of a text in which nothing is said."""

_SURELY = 1.0
"""Logits from which on a text is passed over; some short answers are above 0."""

_WIDE = 0x2E80
"""From here on a character says as much as several letters: each counts as a space and itself."""

_BEGIN, _END = "\x02", "\x03"
_THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
_APOSTROPHES = str.maketrans("’‘ʼ`", "''''")


class Runs(NamedTuple):
    """Runs of characters of some texts, counted.

    Attributes:
        text: int64[m], the text a run is in.
        bucket: int64[m], below `BUCKETS`.
        value: float32[m], 1 / sqrt(how many runs this end of the text has).
    """

    text: NDArray[np.int64]
    bucket: NDArray[np.int64]
    value: NDArray[np.float32]


def is_nonanswer(text: str) -> bool:
    """Whether a text is no answer at all, whatever the question was.

    When in doubt it is an answer. A text without anything to see, or with thoughts only, is none.

    >>> is_nonanswer("I'm sorry, but I can't help with that.")
    True
    >>> is_nonanswer("I'm sorry to hear that. Rest, drink a lot, and see a doctor if it stays.")
    False
    """
    return bool(nonanswer_logits([text])[0] > 0.0)


def surely_nothing(text: str) -> bool:
    """Whether a text is so surely no answer that it may be passed over unheard.

    >>> surely_nothing("I don't know."), surely_nothing("raise AssertionError")
    (True, False)
    """
    return bool(nonanswer_logits([text])[0] > _SURELY)


_CANNOT = re.compile(
    r"\b(?:can(?:no|['’])t|can not|unable to|not able to|(?:do not|don['’]t) have|have no|lack)\b"
    r"[^.!?\n]{0,40}\b(?:access|browse|look(?:ing)? (?:it |that |this )?up|real[- ]?time|internet"
    r"|live|current|check|retrieve|fetch|tools?|search)\b",
    re.IGNORECASE,
)


def says_it_cannot(text: str) -> bool:
    """Whether a text says that its writer lacks the means to answer, or answers nothing.

    Some go on to guess; beside somebody who has the means, that is not enough.

    >>> says_it_cannot("I can't access real-time data, but it is usually warm in Rome.")
    True
    """
    return bool(_CANNOT.search(text[:HEAD])) or is_nonanswer(text)


def nonanswer_logits(texts: Sequence[str]) -> NDArray[np.float32]:
    """How surely each text answers nothing, float32[len(texts)], finite.

    Above 0 is where `is_nonanswer` says so: there, fewer than 3 in 1,000 real answers are.

    Args:
        texts: of any length; their ends are read.
    """
    if not texts:
        return np.zeros(0, np.float32)
    weights, of_figures, bias = _weights()
    said = [shown(text) for text in texts]
    found = runs(said)
    of_runs = np.bincount(found.text, found.value * weights[found.bucket], len(said))
    logits = of_runs + figures(said) @ of_figures + bias
    logits[[not text for text in said]] = BLANK
    return logits.astype(np.float32)


def shown(text: str) -> str:
    """What is said to the reader: without the thoughts before it, which may be all there is.

    >>> shown("<think>Easy.</think> 42"), shown("<think>Let me see")
    ('42', '')
    """
    text = text.strip()
    for opened, closed in _THOUGHTS:
        if text.startswith(opened):
            text = text.partition(closed)[2].strip()
    seen = any(char.isprintable() and not char.isspace() for char in text[: 2 * HEAD])
    return text if seen else ""


def runs(texts: Sequence[str]) -> Runs:
    """The runs of characters at both ends of each text, hashed."""
    segments = [segment for text in texts for segment in _ends(text)]
    counts = np.fromiter(map(len, segments), np.int64, len(segments))
    codes = np.frombuffer("".join(segments).encode("utf-32-le", "surrogatepass"), np.uint32)
    owner = np.repeat(np.arange(len(segments)), counts)
    if wide := np.flatnonzero(codes >= _WIDE).tolist():
        owner = np.insert(owner, wide, owner[wide])
        codes = np.insert(codes, wide, np.uint32(ord(" ")))
    owners: list[NDArray[np.int64]] = []
    hashes: list[NDArray[np.uint32]] = []
    hashed = codes
    for size in range(2, max(RUNS) + 1):
        hashed = hashed[:-1] * np.uint32(0x01000193) + codes[size - 1 :]
        if size in RUNS:
            whole = owner[: len(hashed)] == owner[size - 1 :]
            owners.append(owner[: len(hashed)][whole])
            hashes.append((hashed[whole] ^ np.uint32(size)) * np.uint32(0x9E3779B1))
    segment, mixed = np.concatenate(owners), np.concatenate(hashes)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x85EBCA77)
    is_tail = (segment & 1).astype(bool)
    bucket = (mixed >> np.where(is_tail, 32 - TAIL_BITS, 32 - HEAD_BITS).astype(np.uint32)).astype(
        np.int64
    )
    bucket[is_tail] += 1 << HEAD_BITS
    size_of = np.bincount(segment, minlength=len(segments))
    value = (1.0 / np.sqrt(np.maximum(size_of, 1))).astype(np.float32)[segment]
    return Runs(segment >> 1, bucket, value)


def _ends(text: str) -> Iterator[str]:
    """The head and the tail, in one form for what reads the same."""
    yield f"{_BEGIN}{_folded(text[: 2 * HEAD])[:HEAD]}{_END if len(text) <= HEAD else ''}"
    yield f"{_folded(text[max(HEAD, len(text) - TAIL) :])[:TAIL]}{_END}" if len(text) > HEAD else ""


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES))
    return " ".join(text.casefold().split())


def figures(texts: Sequence[str]) -> NDArray[np.float32]:
    """What else tells, float32[len(texts), FIGURES]: mostly how long each text is."""
    rows = np.zeros((len(texts), FIGURES), np.float32)
    for row, text in zip(rows, texts, strict=True):
        size = min(math.log2(1 + len(text)), _HATS - 1.001)
        row[int(size)] = 1.0 - size % 1.0
        row[int(size) + 1] = size % 1.0
        row[_HATS:] = min(5, text.count("\n", 0, HEAD)) / 5, text.endswith(("?", "？"))
    return rows


@cache
def _weights() -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Of the hashes, float32[BUCKETS], of the figures, float32[FIGURES], and the bias."""
    file = files("blender_core.comparison") / "nonanswers.npz"
    with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as tensors:
        hashes = tensors["hashes"].astype(np.float32) * tensors["scale"]
        return hashes, tensors["figures"], float(tensors["bias"][0])
