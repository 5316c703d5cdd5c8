"""The records that are ranked, judged, trained on and evaluated, and what is wrong with them.

The shape is MixInstruct's, of which most may be left out, with judgements and scores of other
kinds beside it. Keys that nobody asked for are carried along unread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from blender_core.candidates import Candidate, Task
from blender_core.conversations import question_text
from blender_core.data.checking import checked
from blender_core.data.comparisons import CmpResult, comparisons, mean_opinions
from blender_core.errors import InputError
from blender_core.json_values import parsed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Answer", "AnswerOrText", "Answered", "Judgement", "Question", "Record"]
__all__ += ["as_value", "read_record"]

Text = InstanceOf[str]
"""A str as JSON gives it; lone surrogates, which a plain str field refuses, are let through."""

Number = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    """No conversions."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")


class Answer(_Strict):
    """One answer.

    Attributes:
        text: the answer itself; may be empty.
        model: who wrote it.
        decoding_method: how, for example ``top_p_sampling``.
        scores: metrics of this answer, higher is better, such as ``bertscore`` or ``logprobs``.
    """

    text: Text
    model: Text | None = None
    decoding_method: Text | None = None
    scores: dict[Text, Number | None] | None = None

    def candidate(self) -> Candidate:
        """The answer as the core has it."""
        return Candidate(self.text, self.model)


def _answer(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


AnswerOrText = Annotated[Answer, BeforeValidator(_answer)]


def _id(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise PydanticCustomError("id_type", "must be a text or a whole number")
    return value


Id = Annotated[str | int | None, PlainValidator(_id)]


def _asked(value: Any) -> Any:
    """A question that is a list of chat messages, as text."""
    if not isinstance(value, list):
        return value
    try:
        return question_text("instruction", value)
    except InputError as error:
        raise PydanticCustomError("conversation", "{reason}", {"reason": str(error)}) from None


Asked = Annotated[Text, BeforeValidator(_asked)]


class Question(_Strict):
    """A question.

    Attributes:
        id: text or whole number.
        instruction: the question, as text or as chat messages; also called ``prompt``.
        input: what the instruction works on, where the two are kept apart.
    """

    id: Id = None
    instruction: Asked
    input: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _called_prompt(cls, value: Any) -> Any:
        if isinstance(value, dict) and "instruction" not in value and "prompt" in value:
            return {"instruction" if key == "prompt" else key: part for key, part in value.items()}
        return value

    def kind(self, by: str | None) -> str | None:
        """What kind of question it is, by a field of that name; None where it does not say."""
        known = self.model_extra or {}
        value = getattr(self, str(by)) if by in type(self).model_fields else known.get(str(by))
        is_said = isinstance(value, str | int) and not isinstance(value, bool)
        return str(value) or None if is_said else None


class Answered(Question):
    """A question and its answers: all that ranking and fusing need.

    Attributes:
        candidates: the answers; a plain text is an answer of nobody in particular.
        output: the reference, an answer that is known to be good.
    """

    candidates: list[AnswerOrText] = Field(min_length=1)
    output: Text | None = None

    def to_task(self, by: str | None = None) -> Task:
        """The record as the core has it, of the kind that the field `by` says."""
        answers = [answer.candidate() for answer in self.candidates]
        return Task(self.instruction, answers, self.input, self.kind(by))

    @property
    def models(self) -> tuple[str | None, ...]:
        """Who wrote the answers."""
        return tuple(answer.model for answer in self.candidates)


class Judgement(_Strict):
    """What somebody said of two answers.

    Attributes:
        a: index of an answer.
        b: index of another one.
        winner: the better one.
        judge: who said it.
        strength: how much better the winner is, from 0 (not at all) to 1 (clearly; also where
            nothing is said).
    """

    a: int = Field(ge=0)
    b: int = Field(ge=0)
    winner: Literal["a", "b", "tie"]
    judge: Text | None = None
    strength: Annotated[Number, Field(ge=0, le=1)] | None = None

    @property
    def points(self) -> float:
        """What ``a`` gets for it: from 0 over a half for a tie to 1."""
        half = 0.5 * (1.0 if self.strength is None else self.strength)
        return 0.5 + {"a": half, "b": -half, "tie": 0.0}[self.winner]


def _cmp_results(value: Any) -> Any:
    """``cmp_results`` as an object: MixInstruct has it as text of JSON, or as null."""
    if isinstance(value, str) and value.strip():
        try:
            value = parsed(value.encode("utf-8", "surrogatepass"))
        except InputError as error:
            raise PydanticCustomError("cmp_results", "{reason}", {"reason": str(error)}) from None
    return value or None


class Record(Answered):
    """A question, its answers, and what is known about which of them is better.

    Attributes:
        cmp_results: verdicts of a judge, by ``"modelA,modelB"``; see `comparisons`.
        judgements: verdicts on pairs of answers.
        scores: one number an answer, or null, by the name of who or what gave it; higher is
            better.
        label_kind: how far the labels can be trusted, for example ``instance_human``.
        task: what kind of question it is.
        source: where the record is from.
        licence: under which it may be used.
    """

    cmp_results: Annotated[dict[Text, CmpResult] | None, BeforeValidator(_cmp_results)] = None
    judgements: list[Judgement] = []
    scores: dict[Text, list[Number | None]] = {}
    label_kind: Text | None = None
    task: Text | None = None
    source: Text | None = None
    licence: Text | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Record:
        if not (self.instruction + self.input).strip():
            raise _misfit("'instruction' and 'input' are both empty")
        count = len(self.candidates)
        for name, numbers in self.scores.items():
            if len(numbers) != count:
                raise _misfit(f"'scores.{name}' has {len(numbers)} numbers for {count} answers")
        for place, judgement in enumerate(self.judgements):
            if max(judgement.a, judgement.b) >= count:
                raise _misfit(
                    f"'judgements[{place}]' is about answers {judgement.a} and {judgement.b}, but "
                    f"the last of the {count} is {count - 1}"
                )
            if judgement.a == judgement.b:
                raise _misfit(f"'judgements[{place}]' compares answer {judgement.a} with itself")
        try:
            comparisons(self.cmp_results or {}, self.models)
        except InputError as error:
            raise _misfit(f"'cmp_results': {error}") from None
        return self

    def score(self, name: str) -> NDArray[np.float64]:
        """The scores of that name, given with the record or with each answer.

        Returns:
            float64[N], NaN where there is none.
        """
        import numpy as np

        given: Sequence[float | None] = self.scores.get(name) or [
            (answer.scores or {}).get(name) for answer in self.candidates
        ]
        return np.array([np.nan if number is None else number for number in given])

    def preferences(
        self, names: Sequence[str] | None = None, scales: Mapping[str, float] | None = None
    ) -> NDArray[np.float32]:
        """How sure it is that one answer is better than another.

        Verdicts on a pair come first: the mean over all judgements and ``cmp_results`` about it,
        where a win counts 0.5 + strength / 2. Only pairs on which nobody gave a verdict are
        filled from scores: the mean over the scores that both answers have.

        Args:
            names: the scores to use: the record's own, or also the answers' (`bertscore`, …), for
                example to train on MixInstruct's metrics. All of the record's own if not given.
            scales: by a score's name, the difference that counts as much as one logit: the
                preference is then ``sigmoid(difference / scale)``. Other scores say 1, 0.5 or 0.

        Returns:
            float32[N, N]: from 0 to 1, above 0.5 where the row is better; ``p[i, j] + p[j, i]``
            is 1. NaN where nothing is known, and for answers of the same text, of which none can
            be better; 0.5 on the diagonal.
        """
        import numpy as np

        opinions = [(told.a, told.b, told.points) for told in self.judgements]
        told_of = comparisons(self.cmp_results or {}, self.models)
        opinions += [(told.a, told.b, told.points) for told in told_of]
        verdicts = mean_opinions(len(self.candidates), opinions)
        texts = [answer.text for answer in self.candidates]
        place = {text: index for index, text in enumerate(texts)}
        different = np.array([place[text] for text in texts])
        same = (different[:, None] == different) & ~np.eye(len(texts), dtype=bool)
        used = [
            _preferred(self.score(name), (scales or {}).get(name))
            for name in (self.scores if names is None else names)
        ]
        if not used:
            return np.where(same, np.nan, verdicts).astype(np.float32)
        stacked = np.stack(used)
        voices = (~np.isnan(stacked)).sum(axis=0)
        total = np.nansum(stacked, axis=0)
        graded = np.where(voices > 0, total / np.maximum(voices, 1), np.nan)
        known = np.where(np.isnan(verdicts), graded, verdicts)
        return np.where(same, np.nan, known).astype(np.float32)


def _preferred(score: NDArray[np.float64], scale: float | None) -> NDArray[np.float64]:
    """float64[N, N]: what a score says of each pair; NaN where one of the two has none."""
    import numpy as np

    difference = score[:, None] - score[None, :]
    if scale is None:
        return 0.5 + 0.5 * np.sign(difference)
    from scipy.special import expit

    preferred: NDArray[np.float64] = expit(difference / scale)
    return preferred


def _misfit(reason: str) -> PydanticCustomError:
    return PydanticCustomError("misfit", "{reason}", {"reason": reason})


def read_record(value: Any) -> Record:
    """A record from its JSON value.

    Raises:
        InputError: says which part is wrong.
    """
    return checked(Record, value)


def as_value(record: BaseModel) -> dict[str, Any]:
    """The JSON value of a record, without what is not known of it."""
    return record.model_dump(exclude_defaults=True)
