"""ChatComparator: any chat model as pairwise judge, so that no local model is needed."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.prompts.base import BasePromptTemplate

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
from langchain_blender.asked import shown_to
from langchain_blender.control_flow import passing
from langchain_blender.members import Member, as_answer, named_members
from langchain_blender.prompts import check_variables
from langchain_blender.sync_only import is_sync_only

__all__ = ["JUDGE_PROMPT", "ChatComparator"]

JUDGE_PROMPT = ChatPromptTemplate(
    [("system", JUDGE_INSTRUCTIONS), ("human", "{question}\n\n{first}\n\n{second}\n\n{request}")]
)
"""The default prompt of `ChatComparator`."""


class ChatComparator(Judge):
    """Compares two answers by asking a chat model; give it to `PairRanker`.

    Every pair is one call, with the answers in the order of the pair; `PairRanker` asks both
    orders. A call that fails, takes too long or gives no verdict leaves a hole in the matrix
    (NaN): it counts for neither answer.

    Args:
        judge: a chat model, another runnable from messages to an `AIMessage`, or a string such as
            ``"openai:gpt-4o"``.
        structured: whether the verdict is asked as an object, with the judge's confidence (by
            its `with_structured_output`). Otherwise it is one letter; where the judge returns
            log probabilities (``ChatOpenAI(logprobs=True, top_logprobs=5)``), the logit is the
            difference between those of the two letters, else plus or minus one.
        prompt: a prompt template with the variables ``question``, ``first``, ``second``, all of
            them blocks already, ``request``, which asks for the verdict, and ``token``, in which
            the blocks' tags end.
        timeout: seconds a judgement may take.
        max_concurrency: how many are asked for at the same time.

    Raises:
        InputError: the judge cannot give objects, or prompt or limits are not usable.

    >>> from blender_core import PairRanker
    >>> from langchain_core.language_models import FakeListChatModel
    >>> judge = FakeListChatModel(responses=["B", "A"])  # asked in this order, then in the other
    >>> comparator = ChatComparator(judge, structured=False, max_concurrency=1)
    >>> PairRanker(comparator).rank("2 + 2?", ["5", "4"]).best.text
    '4'
    """

    def __init__(
        self,
        judge: Member | str,
        *,
        structured: bool = True,
        prompt: BasePromptTemplate[Any] | None = None,
        timeout: float | None = None,
        max_concurrency: int = 8,
    ) -> None:
        super().__init__(timeout=timeout, max_concurrency=max_concurrency)
        self.model = next(iter(named_members([judge]).values()))
        self.structured = structured
        self.prompt = JUDGE_PROMPT if prompt is None else prompt
        check_variables(
            self.prompt, needed={"question", "first", "second"}, offered={"request", "token"}
        )
        self._asked = _structured(self.model) if structured else self.model

    def judge(self, pair: Pair) -> float:
        """The logit of the first answer being better.

        Raises:
            ValueError: the model gave no verdict.
        """
        with passing():
            return self._logit(self._asked.invoke(self._prompt(pair)))

    async def ajudge(self, pair: Pair) -> float:
        """Like `judge`, without blocking the event loop."""
        if is_sync_only(self.model):
            return await in_own_thread(self.judge)(pair)
        with passing():
            return self._logit(await self._asked.ainvoke(self._prompt(pair)))

    def _prompt(self, pair: Pair) -> list[BaseMessage]:
        blocks = judge_blocks(pair, structured=self.structured)
        wanted = {name: blocks[name] for name in self.prompt.input_variables}
        prompt = self.prompt.format_prompt(**wanted).to_messages()
        return shown_to(self.model, prompt, pair.instruction)

    def _logit(self, verdict: Any) -> float:
        if isinstance(verdict, Judgement):
            return verdict.logit()
        if self.structured:
            raise ValueError("the judge gave no verdict")
        message = as_answer(verdict)
        return letter_logit(str(message.text), message.response_metadata.get("logprobs"))


def _structured(judge: Member) -> Member:
    with_structured_output = getattr(judge, "with_structured_output", None)
    if with_structured_output is None or (
        isinstance(judge, BaseChatModel)
        and type(judge).bind_tools is BaseChatModel.bind_tools
        and type(judge).with_structured_output is BaseChatModel.with_structured_output
    ):
        raise InputError(
            f"{type(judge).__name__} gives no structured output; "
            "ask for letters: ChatComparator(judge, structured=False)"
        )
    structured: Member = with_structured_output(Judgement)
    return structured
