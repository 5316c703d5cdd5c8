"""Whether texts come to the same result: votes, as in self-consistency (Wang et al. 2022)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.similarity.short_answer import short_answer

__all__ = ["result", "result_of", "stated_result"]

_READ = 2000
"""Characters at the end of a text in which its result is looked for."""

_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]{0,80}\}){1,160})\}")
_STATED = re.compile(
    r"\b(?:answer|result|solution|total|option|choice)\s*(?:is|are|=|:|would be|will be)"
    r"[\s:*$\"'(\[]{0,6}(?:\\\()?\s*(?:\$)?"
    r"((?-i:[A-J])(?=\)|\]|\.|,|:|\*|\s|$)|[-+]?\d[\d,]*(?:\.\d+)?(?:/\d+)?|true\b|false\b|yes\b|no\b)",
    re.IGNORECASE,
)
_FRAME = re.compile(r"[\s,$(){}*]|\\(?:text|mathrm|mathbf|left|right|[,!;])")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def stated_result(text: str) -> str | None:
    r"""What a text says its result is: the last ``\boxed{…}``, or what follows "the answer is".

    An option's letter, a number, true, false, yes or no. None where it says none.

    >>> stated_result("So x = 3, and the answer is (B).")
    'b'
    >>> stated_result(r"Hence \boxed{\frac{1}{2}}."), stated_result("The answer is 1,200.0 m.")
    ('\\frac12', '1200')
    """
    end = text[-_READ:]
    found = _BOXED.findall(end) or _STATED.findall(end)
    if not found:
        return None
    plain = _FRAME.sub("", found[-1]).lower().rstrip(".")
    if _NUMBER.fullmatch(plain):
        plain = f"{float(plain):.12g}"
    return plain or None


def result_of(text: str) -> str | None:
    """What a text says its result is or, of a short one, all that it says; None where neither.

    >>> result_of("5"), result_of("So the answer is 5."), result_of("Five is my lucky number.")
    ('5', '5', None)
    """
    return stated_result(text) or short_answer(text)


def result(texts: Sequence[str]) -> NDArray[np.float64]:
    """1 where two texts come to the same result, else 0; a text without one agrees with none.

    Args:
        texts: N texts, none blank.

    Returns:
        float64[N, N].

    >>> result(["The answer is 4.", "2 + 2 = 4. Answer: 4", "Well, who knows?"])[0].tolist()
    [1.0, 1.0, 0.0]
    >>> result(["It is 4.", "The answer is 4.", "5"])[1].tolist()
    [1.0, 1.0, 0.0]
    """
    results = [result_of(text) for text in texts]
    return np.array([[float(a is not None and a == b) for b in results] for a in results])
