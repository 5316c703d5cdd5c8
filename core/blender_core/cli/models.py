"""From what ``--ranker`` and ``--fuser`` say to rankers and fusers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blender_core.candidates import Task
from blender_core.cli.messages import shows_progress
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.comparison.loading import SHIPPED, SHIPPED_RANKERS
from blender_core.errors import InputError
from blender_core.fusion.fuser import Fuser

if TYPE_CHECKING:
    from blender_core.ranking.ranker import Ranker

__all__ = ["is_consensus", "is_pairwise", "load_fuser", "load_ranker", "show_bars"]

_CONSENSUS = "consensus"
_SHIPPED = "mini"
_PASSAGES = "passages"


def is_consensus(name: str) -> bool:
    """Whether `--ranker` names a ranker without a model."""
    return name.partition(":")[0] == _CONSENSUS


def is_pairwise(name: str, loading: Loading) -> bool:
    """Whether `--ranker` names one that has a schedule and an aggregation."""
    if name in (DEFAULT_RANKER, _PASSAGES) or is_consensus(name):
        return False
    return name in SHIPPED_RANKERS or _is_pairwise_checkpoint(name, loading)


def load_ranker(
    name: str,
    loading: Loading,
    *,
    schedule: str | None = None,
    aggregation: str | None = None,
) -> Ranker:
    """The ranker of that name.

    Args:
        name: ``"default"``, ``"mini"``, ``"small"``, ``"passages"``, ``"consensus"``,
            ``"consensus:SIMILARITY"``, ``"consensus:FOLDER"`` of an encoder of sentences, a
            hub id or a folder.
        loading: how a model is loaded.
        schedule: of a pairwise ranker; None takes its default.
        aggregation: likewise.

    Raises:
        InputError: unknown similarity, schedule or aggregation, or one of the latter for a
            ranker that has none.
        CheckpointError: there is no such checkpoint, or it is broken or of an unknown layout.
    """
    from blender_core.ranking.aggregation import aggregation_named
    from blender_core.ranking.schedules import schedule_named

    plan = schedule_named("full" if schedule is None else schedule)
    scoring = aggregation_named("max_logits" if aggregation is None else aggregation)
    if is_consensus(name):
        _only_pairwise(name, schedule, aggregation)
        return _consensus(name.partition(":")[2], loading)
    if name == _PASSAGES:
        _only_pairwise(name, schedule, aggregation)
        return _of_passages(loading)
    show_bars(loading)
    from blender_core.ranking.pair_ranker import PairRanker

    if name == DEFAULT_RANKER:
        _only_pairwise(name, schedule, aggregation)
        from blender_core.ranking.joint_ranker import JointRanker

        return JointRanker.with_consensus(PairRanker.from_pretrained(SHIPPED, **_access(loading)))
    if is_pairwise(name, loading):
        return PairRanker.from_pretrained(
            SHIPPED_RANKERS.get(name, name),
            **_access(loading),
            schedule=plan,
            aggregation=scoring,
        )
    _only_pairwise(name, schedule, aggregation)
    from blender_core.ranking.pointwise_ranker import PointwiseRanker

    return PointwiseRanker.from_pretrained(name, **_access(loading))


def load_fuser(name: str, loading: Loading, max_new_tokens: int | None = None) -> Fuser:
    """The sequence-to-sequence fuser of that hub id or folder.

    Args:
        name: hub id or folder.
        loading: how it is loaded; what is only about rankers is not used.
        max_new_tokens: longest fused text; None takes the fuser's default.

    Raises:
        CheckpointError: there is no such checkpoint, or it is broken.
        InputError: device or precision is not usable.
    """
    from blender_core.fusion.gen_fuser import GenFuser

    show_bars(loading)
    fuser = GenFuser.from_pretrained(
        name,
        device=loading.device,
        dtype=loading.dtype,
        local_files_only=loading.local_files_only,
    )
    return fuser if max_new_tokens is None else _Bounded(fuser, max_new_tokens)


class _Bounded(Fuser):
    """A fuser whose texts have at most so many tokens."""

    def __init__(self, fuser: Any, max_new_tokens: int) -> None:
        self._fuser = fuser
        self._max_new_tokens = max_new_tokens

    def fuse_many(self, tasks: Sequence[Task]) -> list[str]:
        texts: list[str] = self._fuser.fuse_many(tasks, max_new_tokens=self._max_new_tokens)
        return texts


def _only_pairwise(name: str, schedule: str | None, aggregation: str | None) -> None:
    for option, value in (("--schedule", schedule), ("--aggregation", aggregation)):
        if value is not None:
            raise InputError(
                f"{option} is for pairwise rankers; {name!r} has none. The shipped one by itself "
                f"is --ranker {_SHIPPED}"
            )


def _consensus(similarity: str, loading: Loading) -> Ranker:
    """Consensus by a similarity's name, or by the encoder of sentences in a folder."""
    from pathlib import Path

    from blender_core.ranking.consensus_ranker import ConsensusRanker

    if not similarity:
        return ConsensusRanker()
    if not Path(similarity).is_dir():
        return ConsensusRanker(similarity)
    from blender_core.comparison.sentence_encoder import SentenceEncoder
    from blender_core.ranking.similarity import EmbeddingSimilarity

    encoder = SentenceEncoder.from_pretrained(
        similarity,
        device=loading.device,
        dtype=loading.dtype,
        max_batch_tokens=loading.max_batch_tokens,
    )
    return ConsensusRanker(EmbeddingSimilarity(encoder.encode))


def _of_passages(loading: Loading) -> Ranker:
    from blender_core.comparison.worth.encoder import shipped_sentence_encoder
    from blender_core.ranking.passage_ranker import PassageRanker

    encoder = shipped_sentence_encoder(
        device=loading.device, dtype=loading.dtype, max_batch_tokens=loading.max_batch_tokens
    )
    return PassageRanker(encoder)


def _is_pairwise_checkpoint(name: str, loading: Loading) -> bool:
    """Whether a checkpoint is a pairwise ranker's, by its config alone."""
    from blender_core.comparison.checkpoints.layouts import is_pairwise
    from blender_core.models.files import read_json, resolve

    folder = resolve(
        name, local_files_only=loading.local_files_only, allow_patterns=["config.json"]
    )
    return is_pairwise(read_json(folder / "config.json"))


def show_bars(loading: Loading) -> None:
    """Have downloads and weights show progress where we would."""
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    if shows_progress(quiet=loading.quiet):
        enable_progress_bars()
        logging.enable_progress_bar()
    else:
        disable_progress_bars()
        logging.disable_progress_bar()


def _access(loading: Loading) -> dict[str, Any]:
    return {
        "device": loading.device,
        "dtype": loading.dtype,
        "base_model": loading.base_model,
        "max_batch_tokens": loading.max_batch_tokens,
        "local_files_only": loading.local_files_only,
    }
