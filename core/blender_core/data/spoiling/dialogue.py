"""What belongs around an answer instead of it: thoughts, roles, the next turns."""

from __future__ import annotations

import random

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.wording import said

__all__ = ["prompt_leak", "think_only"]

_OPENED = (
    "<think>\n",
    "<think>",
    "<thinking>\n",
    "<reasoning>\n",
    "<|channel|>analysis<|message|>",
)
_CLOSED = "<think>\n{thoughts}\n</think>"
_AGENT = "Thought: {thoughts}\nAction: search"
_ROLES = (
    ("\n\nHuman: ", "\n\nAssistant: "),
    ("\nUser: ", "\nAssistant: "),
    ("\n### Instruction:\n", "\n\n### Response:\n"),
    ("<|im_end|>\n<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
    ("</s>[INST] ", " [/INST] "),
    ("\n\nQ: ", "\nA: "),
    ("\n\nQuestion: ", "\nAnswer: "),
    ("<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>assistant\n\n"),
)


def think_only(case: Case, chance: random.Random) -> str:
    """Thoughts about the question, which break off or end without an answer."""
    thoughts = [said("thoughts", case, chance) for _ in range(chance.randint(1, 9))]
    if chance.random() < 0.3:
        thoughts.insert(0, case.question.strip())
    text = chance.choice([" ", "\n", "\n\n"]).join(thoughts)
    way = chance.random()
    if way < 0.15:
        return _CLOSED.replace("{thoughts}", text)
    if way < 0.25:
        return _AGENT.replace("{thoughts}", text)
    if chance.random() < 0.5:
        text = text[: max(10, len(text) - chance.randint(1, 30))]
    return chance.choice(_OPENED) + text


def prompt_leak(case: Case, chance: random.Random) -> str | None:
    """The answer, and the dialogue going on without the user; or the prompt in front of it."""
    text = case.answer.strip()
    if not text:
        return None
    user, assistant = chance.choice(_ROLES)
    if chance.random() < 0.2:
        return f"{user}{case.question.strip()}{assistant}{text}".lstrip()
    for _ in range(chance.randint(1, 3)):
        question, answer = chance.choice(case.others) if case.others else (case.question, "")
        text += f"{user}{question.strip()}{assistant}{answer.strip()[:400]}"
        if chance.random() < 0.3:
            return text[: len(text) - chance.randint(0, len(answer.strip()[:400]) // 2)]
    return text.rstrip()
