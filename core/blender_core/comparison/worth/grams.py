"""Runs of characters and of tokens as rows of tables, by hashing (the hashing trick).

How an answer opens and ends says much of what is wrong with it, in words that no list foresees;
which tokens follow each other says whether it is a text at all.
"""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHARACTER_ROWS", "PAIR_ROWS", "ending_grams", "opening_grams", "token_pairs"]

CHARACTER_ROWS = 1 << 15
PAIR_ROWS = 1 << 16

_SIZES = (3, 4, 5)
_OPENING = 160
_ENDING = 100
_BEGIN, _END = "\x02", "\x03"

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0x100000001B3)

Rows = NDArray[np.int64]


def opening_grams(text: str) -> Rows:
    """Rows, 0 to `CHARACTER_ROWS` - 1, of the runs of 3 to 5 characters a text begins with.

    >>> (opening_grams("Sorry, I can't.") == opening_grams("SORRY,  I can't.")).all()
    True
    """
    plain = _plain(text[: 4 * _OPENING])
    return _rows(_BEGIN + plain[:_OPENING] + (_END if len(plain) <= _OPENING else ""))


def ending_grams(text: str) -> Rows:
    """Rows, 0 to `CHARACTER_ROWS` - 1, of the runs of 3 to 5 characters a text ends with."""
    plain = _plain(text[-4 * _ENDING :])
    return _rows(("" if len(plain) > _ENDING else _BEGIN) + plain[-_ENDING:] + _END)


def token_pairs(ids: NDArray[np.int64]) -> Rows:
    """Rows, 0 to `PAIR_ROWS` - 1, of the tokens that follow each other."""
    if len(ids) < 2:
        return np.zeros(0, dtype=np.int64)
    codes = ids.astype(np.uint64)
    return _hashed(codes[:-1] * _STEP + codes[1:], PAIR_ROWS)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join("0" if c.isdigit() else c for c in folded).split())


def _rows(text: str) -> Rows:
    codes = np.array([ord(c) for c in text], dtype=np.uint64)
    rows = []
    for size in _SIZES:
        count = len(codes) - size + 1
        if count > 0:
            gram = np.full(count, size, dtype=np.uint64)
            for k in range(size):
                gram = gram * _STEP + codes[k : k + count]
            rows.append(_hashed(gram, CHARACTER_ROWS))
    return np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)


def _hashed(codes: NDArray[np.uint64], rows: int) -> Rows:
    mixed = codes * _FACTOR
    mixed ^= mixed >> np.uint64(29)
    mixed *= _FACTOR
    return (mixed >> np.uint64(40)).astype(np.int64) % rows
