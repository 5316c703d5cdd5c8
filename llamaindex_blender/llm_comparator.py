"""LLMComparator: any LLM as pairwise judge."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from blender_core.candidates import Pair
from blender_core.errors import InputError
from blender_core.prompting.judge import (
    JUDGE_INSTRUCTIONS,
    Judge,
    Judgement,
    judge_blocks,
    letter_logit,
)
from blender_core.threads import in_own_thread
from llamaindex_blender.handlers import hand_on
from llamaindex_blender.llm_fuser import check_variables
from llamaindex_blender.sync_only import is_sync_only

__all__ = ["JUDGE_PROMPT", "LLMComparator"]

JUDGE_PROMPT = ChatPromptTemplate(
    [
        ChatMessage(role=MessageRole.SYSTEM, content=JUDGE_INSTRUCTIONS),
        ChatMessage(
            role=MessageRole.USER, content="{question}\n\n{first}\n\n{second}\n\n{request}"
        ),
    ]
)
"""The default prompt of `LLMComparator`."""


class LLMComparator(Judge):
    """Compares two answers by asking an LLM; give it to `PairRanker`.

    Every pair is one call, with the answers in the order of the pair; `PairRanker` asks both
    orders. A call that fails, takes too long or gives no verdict is a hole in the matrix.

    Args:
        llm: judges.
        structured: whether the verdict is asked as an object, with the judge's confidence.
            Otherwise it is one letter; where the LLM returns log probabilities of both letters,
            the logit is their difference, else plus or minus one.
        prompt: with the variables ``question``, ``first``, ``second``, all of them blocks
            already, ``request``, which asks for the verdict, and ``token``, in which the blocks'
            tags end.
        timeout: seconds a judgement may take.
        max_concurrency: how many are asked for at the same time.

    Raises:
        InputError: `llm` is none, or prompt or limits are not usable.
    """

    def __init__(
        self,
        llm: LLM,
        *,
        structured: bool = True,
        prompt: BasePromptTemplate | None = None,
        timeout: float | None = None,
        max_concurrency: int = 8,
    ) -> None:
        super().__init__(timeout=timeout, max_concurrency=max_concurrency)
        if not isinstance(llm, LLM):
            raise InputError(f"'llm' must be an LLM, got {type(llm).__name__}")
        self.llm = llm
        self.structured = structured
        self.prompt = JUDGE_PROMPT if prompt is None else prompt
        check_variables(self.prompt, {"question", "first", "second"})

    def judge(self, pair: Pair) -> float:
        """The logit of the first answer being better.

        Raises:
            ValueError: the LLM gave no verdict.
        """
        hand_on(self.llm)
        blocks = judge_blocks(pair, structured=self.structured)
        if self.structured:
            # A copy: LlamaIndex writes the schema into the prompt that it is given.
            prompt = deepcopy(self.prompt)
            return _logit(self.llm.structured_predict(Judgement, prompt, **blocks))
        return _of_letter(self.llm.chat(self._messages(blocks)))

    async def ajudge(self, pair: Pair) -> float:
        """Like `judge`, without blocking the event loop."""
        if is_sync_only(self.llm):
            return await in_own_thread(self.judge)(pair)
        hand_on(self.llm)
        blocks = judge_blocks(pair, structured=self.structured)
        if self.structured:
            prompt = deepcopy(self.prompt)
            return _logit(await self.llm.astructured_predict(Judgement, prompt, **blocks))
        return _of_letter(await self.llm.achat(self._messages(blocks)))

    def _messages(self, blocks: dict[str, str]) -> list[ChatMessage]:
        return self.prompt.format_messages(llm=self.llm, **blocks)


def _logit(verdict: Any) -> float:
    if not isinstance(verdict, Judgement):
        raise ValueError(f"the judge gave no verdict but {verdict!r:.80}")  # noqa: TRY004 - a reply that is wrong, no argument
    return verdict.logit()


def _of_letter(response: ChatResponse) -> float:
    # Of each token LlamaIndex has the likely ones; the first of them is what was written.
    tokens = [
        {
            "token": options[0].token,
            "top_logprobs": [{"token": o.token, "logprob": o.logprob} for o in options],
        }
        for options in response.logprobs or []
        if options
    ]
    return letter_logit(response.message.content or "", {"content": tokens})
