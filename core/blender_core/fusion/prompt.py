"""What GenFuser reads: a task and its answers as one row of token ids.

The text and its limits are those of LLM-Blender (arXiv 2306.02561, section 4), on which the
published fusers were trained::

    Instruction: {instruction}</s>Input: {input}</s>Candidate 0: <extra_id_0>:{answer}</s>
    Candidate 1: <extra_id_1>:{answer}</s>Summarize candidates into a better one for the given
    instruction:

in one line and without the line breaks. The prompt is built from segments, control tokens and
texts, and each kind is tokenized on its own: a ``</s>`` in an answer is four letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

from blender_core.candidates import Task
from blender_core.errors import InputError
from blender_core.models.tokenizer import TextTokenizer

__all__ = ["REQUEST", "Control", "FusionPrompt", "Segment", "tidied"]

_END = "</s>"
_SENTINEL = "<extra_id_{}>"
_CUT = "..."

REQUEST = "Summarize candidates into a better one for the given instruction:"
"""The words that end every prompt."""

_LOOSE = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")
"""What decoding writes with spaces that no writer puts there, in the order of the original."""


@dataclass(frozen=True, slots=True)
class Control:
    """A token that steers the model, as opposed to text of the same letters."""

    token: str

    def __str__(self) -> str:
        return self.token


Segment = str | Control


class FusionPrompt:
    """Writes the prompts of tasks, as segments, text or token ids.

    A control token that the tokenizer does not have (BART knows no sentinels) is plain text.

    Args:
        tokenizer: the checkpoint's.
        max_length: tokens of a prompt; what is longer loses its right end.
    """

    def __init__(self, tokenizer: TextTokenizer, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        added = tokenizer.full.get_added_tokens_decoder()
        self._special = {place: token.content for place, token in added.items() if token.special}
        names = set(self._special.values())
        self._has_end = _END in names
        self._sentinels = next(k for k in count() if _SENTINEL.format(k) not in names)

    def segments(self, tasks: Sequence[Task], answer_length: int) -> list[list[Segment]]:
        """The prompt of each task; neighbouring texts are one segment.

        Args:
            tasks: candidates best first.
            answer_length: tokens of an answer; a longer one is cut there and gets three dots.

        Raises:
            InputError: a task has more candidates than the tokenizer has sentinels.
        """
        for place, task in enumerate(tasks):
            if 0 < self._sentinels < len(task.candidates):
                raise InputError(
                    f"task {place} has {len(task.candidates)} candidates, but the model tells at "
                    f"most {self._sentinels} apart: rank them first and fuse the best"
                )
        answers = self._answers(tasks, answer_length)
        return [list(_merged(self._prompt(task, answers))) for task in tasks]

    def ids(self, tasks: Sequence[Task], answer_length: int) -> list[list[int]]:
        """Token ids of each task's prompt, at most `max_length`, without padding or end token."""
        prompts = self.segments(tasks, answer_length)
        texts = [part for prompt in prompts for part in prompt if isinstance(part, str)]
        text_ids = iter(self.tokenizer.encode(texts))
        rows = []
        for prompt in prompts:
            row: list[int] = []
            for part in prompt:
                if isinstance(part, Control):
                    row.append(self.tokenizer.id_of(part.token))
                else:
                    row.extend(next(text_ids))
            rows.append(row[: self.max_length])
        return rows

    def _prompt(self, task: Task, answers: Iterator[list[Segment]]) -> Iterator[Segment]:
        end: Segment = Control(_END) if self._has_end else _END
        yield from ("Instruction: ", task.instruction, end, "Input: ", task.input, end)
        for place in range(len(task.candidates)):
            sentinel = _SENTINEL.format(place)
            yield f"Candidate {place}: "
            yield Control(sentinel) if self._sentinels else sentinel
            yield from (":", *next(answers), end)
        yield REQUEST

    def _answers(self, tasks: Sequence[Task], limit: int) -> Iterator[list[Segment]]:
        texts = [candidate.text for task in tasks for candidate in task.candidates]
        for text, ids in zip(texts, self.tokenizer.encode(texts), strict=True):
            yield [text] if len(ids) <= limit else [*self._decoded(ids[:limit]), _CUT]

    def _decoded(self, ids: list[int]) -> Iterator[Segment]:
        """Ids of a text as text again; an unknown character stays the control token it became."""
        starts = [place for place, token_id in enumerate(ids) if token_id in self._special]
        for start, end in pairwise([None, *starts, len(ids)]):
            token = "" if start is None else self._special[ids[start]]
            if token:
                yield Control(token)
            # Decoded together with the token, as a space at the very start would be dropped.
            text: str = self.tokenizer.full.decode(ids[start:end], skip_special_tokens=False)
            yield tidied(text[len(token) :])


def tidied(text: str) -> str:
    """Decoded text without the spaces that tokenizing put before punctuation.

    >>> tidied("do n't stop , it 's fine !")
    "don't stop, it's fine!"
    """
    for loose in _LOOSE:
        text = text.replace(loose, loose.strip())
    return text


def _merged(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The same segments with neighbouring texts joined and empty ones dropped."""
    text = ""
    for segment in segments:
        if isinstance(segment, str):
            text += segment
            continue
        if text:
            yield text
        text = ""
        yield segment
    if text:
        yield text
