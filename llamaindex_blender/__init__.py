"""Several query engines or LLMs as one, in LlamaIndex."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from blender_core.errors import MissingExtraError
from blender_core.lazy import lazy

if find_spec("llama_index") is None or find_spec("llama_index.core") is None:
    raise MissingExtraError("llamaindex_blender", "llamaindex")

if TYPE_CHECKING:
    from llamaindex_blender.evaluator import PairRankerEvaluator
    from llamaindex_blender.llm import BlendedLLM
    from llamaindex_blender.llm_comparator import LLMComparator
    from llamaindex_blender.llm_fuser import LLMFuser
    from llamaindex_blender.query_engine import BlendedQueryEngine
    from llamaindex_blender.rerank import PairRankerRerank
    from llamaindex_blender.responses import ResponseNode, ResponseRetriever
    from llamaindex_blender.synthesizer import GenFuserSynthesizer
    from llamaindex_blender.tool import PickBestAnswer

_HOME = {
    "BlendedLLM": "llm",
    "BlendedQueryEngine": "query_engine",
    "GenFuserSynthesizer": "synthesizer",
    "LLMComparator": "llm_comparator",
    "LLMFuser": "llm_fuser",
    "PairRankerEvaluator": "evaluator",
    "PairRankerRerank": "rerank",
    "PickBestAnswer": "tool",
    "ResponseNode": "responses",
    "ResponseRetriever": "responses",
}
"""Where each public name lives."""

__all__ = [
    "BlendedLLM",
    "BlendedQueryEngine",
    "GenFuserSynthesizer",
    "LLMComparator",
    "LLMFuser",
    "PairRankerEvaluator",
    "PairRankerRerank",
    "PickBestAnswer",
    "ResponseNode",
    "ResponseRetriever",
]


__getattr__ = lazy(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
