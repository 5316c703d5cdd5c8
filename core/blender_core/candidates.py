"""What goes in: tasks, their candidates, and the pairs that a comparator is shown.

Everything here is immutable and knows nothing of models. A plain string is accepted wherever a
`Candidate` is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from blender_core import checks
from blender_core.conversations import Asked, question_text
from blender_core.errors import InputError

__all__ = ["Answers", "Candidate", "Pair", "Task", "checked", "checked_all", "name_of"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer.

    Args:
        text: the answer itself; may be empty.
        source: who wrote it (a model's name), if known.
    """

    text: str
    source: str | None = None

    def __post_init__(self) -> None:
        checks.text("candidate.text", self.text)
        if self.source is not None:
            checks.text("candidate.source", self.source)

    @classmethod
    def of(cls, value: Candidate | str) -> Candidate:
        """The value itself if it is a candidate, else a candidate without a source."""
        return value if isinstance(value, Candidate) else cls(value)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and two answers, in the order in which a comparator is shown them.

    Raises:
        InputError: something is not a text.
    """

    instruction: str
    first: str
    second: str

    def __post_init__(self) -> None:
        if not (type(self.instruction) is type(self.first) is type(self.second) is str):
            for name in ("instruction", "first", "second"):
                checks.text(name, getattr(self, name))


Answers = Iterable[Candidate | str] | Mapping[str, str]
"""What is accepted where candidates are: a list of answers, or answers by who wrote them."""


def _answers(given: Answers) -> Iterator[Candidate]:
    if isinstance(given, Mapping):
        for source, answer in given.items():
            yield Candidate(answer, source)
    elif isinstance(given, str | bytes | AbstractSet) or not isinstance(given, Iterable):
        raise InputError(f"'candidates' must be a list of answers, got one {type(given).__name__}")
    else:
        for place, answer in enumerate(given):
            if not isinstance(answer, Candidate | str):
                raise InputError(
                    f"'candidates[{place}]' must be a str or a Candidate, "
                    f"got {type(answer).__name__}"
                )
            yield Candidate.of(answer)


@dataclass(frozen=True, slots=True, init=False)
class Task:
    """A question and the answers to choose from.

    Args:
        instruction: the question, as text or as chat messages, which become one text (see
            `conversations.question_of`). Comparators read ``instruction + input``.
        candidates: one or more answers, each a string or a `Candidate`; or a mapping from who
            wrote it to the answer.
        input: what the instruction works on, where the two are kept apart as in MixInstruct.
        kind: what kind of question it is, for a `MemberPrior` that tells kinds apart.

    Raises:
        InputError: there is no candidate, or something is not a text.

    >>> task = Task("What is 2 + 2?", ["4", Candidate("5", source="model-b")])
    >>> task.candidates[0]
    Candidate(text='4', source=None)
    """

    instruction: str
    candidates: tuple[Candidate, ...]
    input: str
    kind: str | None

    def __init__(
        self, instruction: Asked, candidates: Answers, input: Asked = "", kind: str | None = None
    ) -> None:
        if kind is not None:
            checks.text("kind", kind)
        answers = tuple(_answers(candidates))
        if not answers:
            raise InputError("'candidates' is empty: there is nothing to choose from")
        object.__setattr__(self, "instruction", question_text("instruction", instruction))
        object.__setattr__(self, "candidates", answers)
        object.__setattr__(self, "input", question_text("input", input))
        object.__setattr__(self, "kind", kind)

    @property
    def source(self) -> str:
        """What a comparator reads as the question: instruction and input, nothing in between.

        LLM-Blender's published rankers were trained on exactly this concatenation.
        """
        return self.instruction + self.input

    def with_candidates(self, candidates: Answers) -> Task:
        """The same question with other answers."""
        return Task(self.instruction, candidates, self.input, self.kind)


def name_of(candidates: Sequence[Candidate], index: int) -> str:
    """The candidate's source, or ``answer {index}``."""
    return candidates[index].source or f"answer {index}"


def checked_all(tasks: Iterable[Task]) -> Iterable[Task]:
    """The tasks, if they are tasks: at once where they are a list, else one by one.

    Raises:
        InputError: one of them is something else.
    """
    if isinstance(tasks, Task):
        raise InputError("expected a list of Tasks, got one Task")
    if isinstance(tasks, Sequence):
        return [checked(task) for task in tasks]
    return map(checked, tasks)


def checked(task: Task) -> Task:
    """The task, if it is one.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(task, Task):
        raise InputError(f"expected a Task, got {type(task).__name__}: {task!r:.80}")
    return task
