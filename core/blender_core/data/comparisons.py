"""MixInstruct's ``cmp_results`` as verdicts and as a matrix, the way back, and GPT-Rank.

``cmp_results`` maps ``"modelA,modelB"`` to what a judge, in MixInstruct ChatGPT, said of the
answers of these two models, A's shown first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from blender_core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "CMP_RESULTS",
    "CmpResult",
    "Comparison",
    "cmp_results_of",
    "comparison_matrix",
    "comparisons",
    "gpt_ranks",
    "mean_opinions",
]

CmpResult = Literal["A is better", "B is better", "Same good", "Same bad"]

CMP_RESULTS: tuple[CmpResult, ...] = get_args(CmpResult)

_POINTS = {"A is better": 1.0, "B is better": 0.0, "Same good": 0.5, "Same bad": 0.5}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a judge said of two answers.

    Attributes:
        a: index of the answer that was shown first.
        b: index of the other one.
        verdict: one of `CMP_RESULTS`.
    """

    a: int
    b: int
    verdict: CmpResult

    @property
    def points(self) -> float:
        """What ``a`` gets for it: 1 for a win, a half for both kinds of tie, else 0."""
        return _POINTS[self.verdict]


def comparisons(
    cmp_results: Mapping[str, CmpResult], models: Sequence[str | None]
) -> list[Comparison]:
    """The verdicts of ``cmp_results``, with the answers' indices for the models' names.

    A name may have commas in it, as long as only one way to split the key gives two models.

    Args:
        cmp_results: verdicts by ``"modelA,modelB"``.
        models: one name an answer.

    Raises:
        InputError: a verdict is unknown, or a key does not name two of the models, each of one
            answer.

    >>> comparisons({"m2,m1": "Same bad"}, ["m1", "m2"])
    [Comparison(a=1, b=0, verdict='Same bad')]
    """
    places: dict[str, list[int]] = {}
    for index, model in enumerate(models):
        if model is not None:
            places.setdefault(model, []).append(index)
    result = []
    for key, verdict in cmp_results.items():
        if verdict not in CMP_RESULTS:
            known = ", ".join(map(repr, CMP_RESULTS))
            raise InputError(f"{key!r} has the unknown verdict {verdict!r}; known: {known}")
        a, b = _places(key, places)
        result.append(Comparison(a, b, verdict))
    return result


def _places(key: str, places: Mapping[str, list[int]]) -> tuple[int, int]:
    """The two answers that a key is about."""
    parts = key.split(",")
    splits = [(",".join(parts[:cut]), ",".join(parts[cut:])) for cut in range(1, len(parts))]
    found = [(a, b) for a, b in splits if a in places and b in places]
    match found:
        case [(a, b)] if a == b:
            raise InputError(f"{key!r} compares a model with itself")
        case [(a, b)]:
            for name in (a, b):
                if len(places[name]) > 1:
                    raise InputError(
                        f"{key!r} does not say which of the {len(places[name])} answers of "
                        f"{name!r} is meant"
                    )
            return places[a][0], places[b][0]
        case []:
            if len(splits) == 1:
                lost = next(name for name in splits[0] if name not in places)
                raise InputError(f"{key!r}: there is no answer of the model {lost!r}")
            raise InputError(f"{key!r} does not name two of the models, separated by a comma")
        case _:
            raise InputError(f"{key!r} can be split into two models in {len(found)} ways")


def comparison_matrix(
    cmp_results: Mapping[str, CmpResult], models: Sequence[str | None]
) -> NDArray[np.float32]:
    """The verdicts as a matrix.

    Returns:
        float32[N, N]: 1 where the row won, 0 where it lost, 0.5 for a tie of either kind and on
        the diagonal, NaN where nothing is known. Where a pair was judged in both orders it is
        the mean.

    Raises:
        InputError: as `comparisons` does.
    """
    opinions = [(told.a, told.b, told.points) for told in comparisons(cmp_results, models)]
    return mean_opinions(len(models), opinions)


def mean_opinions(count: int, opinions: Sequence[tuple[int, int, float]]) -> NDArray[np.float32]:
    """A matrix of opinions ``(a, b, points of a in [0, 1])``, the mean where there are many.

    Returns:
        float32[count, count], with ``m[i, j] + m[j, i] == 1``; NaN where there is no opinion, 0.5
        on the diagonal.
    """
    import numpy as np

    total = np.zeros((count, count))
    voices = np.zeros((count, count))
    for a, b, points in opinions:
        total[a, b] += points
        total[b, a] += 1.0 - points
        voices[a, b] += 1.0
        voices[b, a] += 1.0
    matrix = np.full((count, count), np.nan)
    np.divide(total, voices, out=matrix, where=voices > 0)
    np.fill_diagonal(matrix, 0.5)
    return matrix.astype(np.float32)


def cmp_results_of(
    matrix: NDArray[np.floating[Any]],
    models: Sequence[str],
    *,
    tie: Literal["Same good", "Same bad"] = "Same good",
) -> dict[str, CmpResult]:
    """The way back from a matrix: one key a pair that is known, the earlier answer first.

    Args:
        matrix: float[N, N]: above 0.5 where the row is better, below where the column is, NaN
            where nothing is known. Only the part above the diagonal is read.
        models: one name an answer.
        tie: how a tie is called; a matrix does not know whether both are good.

    Raises:
        InputError: the names are not one an answer, not all different, or do not make keys that
            can be read back.
    """
    if matrix.shape != (len(models), len(models)):
        raise InputError(f"a matrix of shape {matrix.shape} does not fit {len(models)} models")
    result: dict[str, CmpResult] = {}
    for i, first in enumerate(models):
        for j in range(i + 1, len(models)):
            value = float(matrix[i, j])
            if not math.isnan(value):
                better: CmpResult = "A is better" if value > 0.5 else "B is better"
                result[f"{first},{models[j]}"] = tie if value == 0.5 else better
    comparisons(result, models)
    return result


def gpt_ranks(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """GPT-Rank: the rank of each answer by its points in the comparisons with all others.

    A win is one point and a tie, good or bad, a half: the paper ranks by wins and does not say
    what a tie counts. (The ranks of the 11 models in its table 2 have the sum 66.6, and ranks as
    these at most 66: the table was made in a way that is not described.) Where pairs are missing,
    it is the share of the points that could be had.

    Args:
        matrix: float[N, N] as of `comparison_matrix`; the diagonal is not read.

    Returns:
        float64[N]: 1 = best, ties share the best rank and the next ranks are skipped. NaN for an
        answer that was compared with no other; it takes no rank from the others.
    """
    import numpy as np

    from blender_core.ranking.matrix import order_and_ranks

    others = np.array(matrix, dtype=np.float64)
    np.fill_diagonal(others, np.nan)
    known = np.flatnonzero(~np.isnan(others).all(axis=1))
    ranks = np.full(len(others), np.nan)
    if len(known):
        shares = np.nanmean(others[known], axis=1)
        # sums of thirds and the like differ in the last digits by the order of summation
        ranks[known] = order_and_ranks([round(float(share), 9) for share in shares])[1]
    return ranks
