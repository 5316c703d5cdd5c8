"""Conversations as questions: the same text whichever way they come in."""

import json

import numpy as np
import pytest
from golden_data import CHECKPOINTS
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import convert_to_messages
from llama_index.core.llms import ChatMessage, MockLLM
from typer.testing import CliRunner

from blender_core import Blender, GenFuser, PairRanker, compat
from blender_core.cli.app import app
from blender_core.conversations import messages_of, question_text
from blender_core.data import read_record
from blender_core.errors import InputError
from blender_core.testing import ScriptedComparator
from langchain_blender import BlendedChatModel
from llamaindex_blender import BlendedLLM

CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Capital of France?"},
    {"role": "assistant", "content": "Paris.\nUser: Thanks."},
    {"role": "user", "content": "And of Spain?"},
]
ASKED = (
    "Be brief.\n\nUser: Capital of France?\nAssistant: Paris.\n  User: Thanks.\nUser: And of Spain?"
)
SHARE_GPT = [
    {"from": who, "value": message["content"]}
    for who, message in zip(("system", "human", "gpt", "human"), CONVERSATION, strict=True)
]
BLOCKS = [
    {"role": message["role"], "content": [{"type": "text", "text": message["content"]}]}
    for message in CONVERSATION
]
ANSWERS = ["Madrid.", "Rome."]


class Listening:
    """Writes down what it is asked; the longer answer is better."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def logits(self, pairs):
        self.asked += [pair.instruction for pair in pairs]
        return np.array([len(p.first) - len(p.second) for p in pairs], np.float32)


def _ranked(ranker, tmp_path):
    ranker.rank(CONVERSATION, ANSWERS)


def _compared(ranker, tmp_path):
    ranker.compare(CONVERSATION, *ANSWERS)


def _blended(ranker, tmp_path):
    Blender(ranker).blend(CONVERSATION, ANSWERS)


def _ranked_by_compat(ranker, tmp_path):
    blender = compat.Blender(use_tqdm=False)
    blender.ranker = ranker
    blender.rank([CONVERSATION], [ANSWERS])


def _a_line(ranker, tmp_path):
    value = {"instruction": CONVERSATION, "candidates": ANSWERS}
    ranker.rank_many([read_record(value).to_task()])


def _a_line_with_a_prompt(ranker, tmp_path):
    ranker.rank_many([read_record({"prompt": SHARE_GPT, "candidates": ANSWERS}).to_task()])


def _preferences(ranker, tmp_path):
    answers = ([{"role": "assistant", "content": text}] for text in ANSWERS)
    value = {"prompt": CONVERSATION} | dict(zip(("chosen", "rejected"), answers, strict=True))
    ranker.rank_many([read_record(value).to_task()])


def _whole_conversations(ranker, tmp_path):
    answers = ([*BLOCKS, {"role": "assistant", "content": text}] for text in ANSWERS)
    value = dict(zip(("chosen", "rejected"), answers, strict=True))
    ranker.rank_many([read_record(value).to_task()])


def _langchain(ranker, tmp_path):
    members = {text: FakeListChatModel(responses=[text]) for text in ANSWERS}
    BlendedChatModel(members=members, ranker=ranker).invoke(convert_to_messages(CONVERSATION))


def _llamaindex(ranker, tmp_path):
    messages = [ChatMessage(role=m["role"], content=m["content"]) for m in CONVERSATION]
    members = {"a": MockLLM(max_tokens=1), "b": MockLLM(max_tokens=2)}
    BlendedLLM(members=members, ranker=ranker).chat(messages)


@pytest.mark.parametrize(
    "way_in",
    [
        _ranked,
        _compared,
        _blended,
        _ranked_by_compat,
        _a_line,
        _a_line_with_a_prompt,
        _preferences,
        _whole_conversations,
        _langchain,
        _llamaindex,
    ],
)
def test_a_conversation_is_the_same_text_whichever_way_it_comes_in(way_in, tmp_path):
    comparator = Listening()
    way_in(PairRanker(comparator), tmp_path)
    assert set(comparator.asked) == {ASKED}


def test_the_command_line_takes_messages_and_pairs(tmp_path):
    answers = ([*CONVERSATION, {"role": "assistant", "content": text}] for text in ANSWERS)
    lines = [
        {"instruction": CONVERSATION, "candidates": ANSWERS},
        {"prompt": SHARE_GPT, "candidates": ANSWERS},
        dict(zip(("chosen", "rejected"), answers, strict=True)),
        {"instruction": ASKED, "candidates": ANSWERS},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for command in ("rank", "compare"):
        result = CliRunner().invoke(app, [command, str(path), "--ranker", "mini", "--quiet"])
        assert result.exit_code == 0, result.output
        told = [json.loads(line) for line in result.stdout.splitlines()]
        key = "scores" if command == "rank" else "logit"
        assert len({json.dumps(one[key]) for one in told}) == 1


def test_a_fuser_reads_messages_too():
    fuser = GenFuser.from_pretrained(CHECKPOINTS / "tiny-gen-fuser")
    written = fuser.fuse(CONVERSATION, ANSWERS, max_new_tokens=4)
    assert written == fuser.fuse(ASKED, ANSWERS, max_new_tokens=4)


@pytest.mark.parametrize(
    ("message", "speaker", "text"),
    [
        ({"role": "developer", "content": "x"}, "System", "x"),
        ({"from": "human", "value": "x"}, "User", "x"),
        ({"role": "model", "parts": [{"text": "x"}]}, "Assistant", "x"),
        ({"role": "tool", "name": "add", "content": "4"}, "Tool add", "4"),
        ({"role": "critic", "content": "x"}, "Critic", "x"),
        (
            {"role": "user", "content": [{"type": "text", "text": "Who?"}, {"type": "image_url"}]},
            "User",
            "Who?\n[image]",
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "add", "arguments": '{"b": 1, "a": 2}'}}],
            },
            "Assistant",
            '{"args": {"a": 2, "b": 1}, "name": "add"}',
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "add", "arguments": "{"}}]},
            "Assistant",
            "add({)",
        ),
    ],
)
def test_messages_of_all_kinds(message, speaker, text):
    assert messages_of("prompt", [message]) == [(speaker, text)]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (3, "'instruction' must be a str, got int"),
        (None, "'instruction' must be a str, got NoneType"),
        ([], "'instruction' must be a text or a list of messages"),
        (["q"], r"'instruction\[0\]' must be an object with 'role' and 'content'"),
        ([{"role": "user"}], r"'instruction\[0\]' must be an object with 'role' and 'content'"),
        ([{"role": "user", "content": 3}], "'role' and 'content' must be texts"),
        ([{"role": "user", "content": [3]}], "a block must be a text"),
    ],
)
def test_what_is_no_question_is_named(question, reason):
    with pytest.raises(InputError, match=reason):
        question_text("instruction", question)
    ranker = PairRanker(ScriptedComparator({}))
    with pytest.raises(InputError, match=reason):
        ranker.rank(question, ["a", "b"])
