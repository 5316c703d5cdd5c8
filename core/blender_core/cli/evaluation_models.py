"""From what ``evaluate``'s options say to metrics, rankers and blends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from blender_core.cli.options import Loading
from blender_core.errors import InputError

if TYPE_CHECKING:
    from blender_core.belief.member_prior import MemberPrior
    from blender_core.evaluation.wanted import Evaluation, MetricWanted

__all__ = ["Models", "read_gap", "read_metric"]


def read_metric(
    text: str, batch_size: int, bertscore_layer: int | None, loading: Loading
) -> MetricWanted:
    """A metric as ``--metric`` says it."""
    from blender_core.evaluation.metrics import metric_kind
    from blender_core.evaluation.metrics.settings import ModelSettings
    from blender_core.evaluation.wanted import STORED, MetricWanted

    name, equals, model = text.partition("=")
    if name.startswith(STORED):
        return MetricWanted(text)
    usual = metric_kind(name).model
    if equals and not model:
        raise InputError(f"--metric {text}: there is no model behind the '='")
    if not model and usual is None:
        return MetricWanted(name)
    settings = ModelSettings(
        model or str(usual),
        batch_size=batch_size,
        device=loading.device,
        local_files_only=loading.local_files_only,
        layer=bertscore_layer if name == "bertscore" else None,
    )
    return MetricWanted(name, settings)


def read_gap(text: str) -> tuple[str, float]:
    """What ``--gap`` says: a score's name, and a number of 0 or more.

    Raises:
        InputError: it says something else.
    """
    name, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not name or not 0 <= value < float("inf"):
        raise InputError(f"--gap {text}: write SCORE=NUMBER, the number 0 or more")
    return name, value


@dataclass(frozen=True, slots=True)
class Models:
    """Loads rankers and fuser, all before any work is done: what is missing shows at once."""

    loading: Loading
    schedule: str | None
    aggregation: str | None
    baselines: bool
    prior: MemberPrior | None = None

    def add_rankers(self, wanted: Evaluation, names: Sequence[str], judge: str | None) -> None:
        """Add the baselines, the rankers, also with the prior, and the ranker that is the judge."""
        from blender_core.cli.models import is_pairwise, load_ranker
        from blender_core.evaluation.baselines import BASELINES
        from blender_core.evaluation.known_ranker import KnownRanker
        from blender_core.ranking.prior_ranker import PriorRanker

        rules = BASELINES if self.baselines else {}
        rankers = {name: make() for name, make in rules.items() if name not in names}
        wanted.baselines = frozenset(rankers)
        keys = {}
        titles = _titles(names)
        for name in names:
            # Some have no tournament; that of the others is no reason to refuse them.
            skipped = len(names) > 1 and not is_pairwise(name, self.loading)
            plan = (None, None) if skipped else (self.schedule, self.aggregation)
            rankers[titles[name]] = load_ranker(
                name, self.loading, schedule=plan[0], aggregation=plan[1]
            )
            keys[titles[name]] = self._key(name, *plan)
            if self.prior is not None:
                once = rankers[titles[name]] = KnownRanker(rankers[titles[name]], {})
                row = self._row(titles[name])
                rankers[row] = PriorRanker(once, self.prior)
                keys[row] = repr([keys[titles[name]], self.prior.fingerprint])
        if judge is not None:
            wanted.judge_ranker = judge, load_ranker(judge, self.loading)
            keys[f"judge {judge}"] = self._key(judge)
        wanted.rankers, wanted.keys, wanted.prior = rankers, keys, self.prior

    def add_blends(
        self,
        wanted: Evaluation,
        names: Sequence[str],
        fuser: str,
        blending: tuple[int, bool, int | None],
    ) -> None:
        """Add a blend for each ranker, by ``(top_k, verify, max_new_tokens)``."""
        from blender_core.cli.models import load_fuser
        from blender_core.evaluation.wanted import Blending

        top_k, verify, max_new_tokens = blending
        writer = load_fuser(fuser, replace(self.loading, base_model=None), max_new_tokens)
        titles = _titles(names)
        short = _titles([fuser])[fuser]
        rankers = [self._row(titles[name]) for name in names]
        wanted.blends = {
            f"{ranker} + {short}": Blending(ranker, writer, top_k, verify) for ranker in rankers
        }
        wanted.keys = {
            **wanted.keys,
            **{
                row: repr([wanted.keys[blend.ranker], self._key(fuser), *map(str, blending)])
                for row, blend in wanted.blends.items()
            },
        }

    def _row(self, title: str) -> str:
        """What a ranker is called with the prior, if there is one."""
        return title if self.prior is None else f"{title} + members"

    def _key(self, name: str, *plan: str | None) -> str:
        """What tells results of different settings apart."""
        from blender_core.evaluation.store import state_of

        return repr([name, state_of(name), plan, self.loading.dtype, self.loading.base_model])


def _titles(names: Sequence[str]) -> dict[str, str]:
    """What models are called in tables: folders by their own name, where that says which."""
    short = {name: Path(name).name if Path(name).is_dir() else name for name in names}
    taken = Counter(short.values())
    return {name: title if taken[title] == 1 else name for name, title in short.items()}
