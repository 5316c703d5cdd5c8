"""Compare the answers of many LLMs two by two, rank them, fuse the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blender_core._version import __version__
from blender_core.lazy import lazy

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator
    from blender_core.belief.member_prior import MemberPrior
    from blender_core.blend import Blender
    from blender_core.candidates import Candidate, Pair, Task
    from blender_core.errors import BlenderError
    from blender_core.fusion.fuser import Fuser
    from blender_core.fusion.gen_fuser import GenFuser
    from blender_core.outcomes import Blend, Ranking, Verdict
    from blender_core.ranking.consensus_ranker import ConsensusRanker
    from blender_core.ranking.joint_ranker import JointRanker
    from blender_core.ranking.pair_ranker import PairRanker
    from blender_core.ranking.passage_ranker import PassageRanker
    from blender_core.ranking.pointwise_ranker import PointwiseRanker
    from blender_core.ranking.prior_ranker import PriorRanker
    from blender_core.ranking.ranker import Ranker
    from blender_core.ranking.schedules import Active, Bubble, Full, Knockout, Reference
    from blender_core.ranking.shortlist_ranker import ShortlistRanker

_HOME = {
    "Active": "ranking.schedules",
    "Blend": "outcomes",
    "Blender": "blend",
    "BlenderError": "errors",
    "Bubble": "ranking.schedules",
    "Calibrator": "belief.calibrator",
    "Candidate": "candidates",
    "ConsensusRanker": "ranking.consensus_ranker",
    "Full": "ranking.schedules",
    "Fuser": "fusion.fuser",
    "GenFuser": "fusion.gen_fuser",
    "JointRanker": "ranking.joint_ranker",
    "Knockout": "ranking.schedules",
    "MemberPrior": "belief.member_prior",
    "Pair": "candidates",
    "PairRanker": "ranking.pair_ranker",
    "PassageRanker": "ranking.passage_ranker",
    "PointwiseRanker": "ranking.pointwise_ranker",
    "PriorRanker": "ranking.prior_ranker",
    "Ranker": "ranking.ranker",
    "Ranking": "outcomes",
    "Reference": "ranking.schedules",
    "ShortlistRanker": "ranking.shortlist_ranker",
    "Task": "candidates",
    "Verdict": "outcomes",
}
"""Where each public name lives. Names are imported when first used: nothing heavy before."""

__all__ = [
    "Active",
    "Blend",
    "Blender",
    "BlenderError",
    "Bubble",
    "Calibrator",
    "Candidate",
    "ConsensusRanker",
    "Full",
    "Fuser",
    "GenFuser",
    "JointRanker",
    "Knockout",
    "MemberPrior",
    "Pair",
    "PairRanker",
    "PassageRanker",
    "PointwiseRanker",
    "PriorRanker",
    "Ranker",
    "Ranking",
    "Reference",
    "ShortlistRanker",
    "Task",
    "Verdict",
    "__version__",
]


__getattr__ = lazy(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
