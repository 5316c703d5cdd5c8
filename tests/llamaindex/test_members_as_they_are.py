"""Members of a blend are asked as they would be alone; their answers are what they are."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import pytest
from llama_index.core import Document, Settings, SummaryIndex
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage, CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.types import BaseOutputParser
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, Field
from talking_llms import Talker, says

from blender_core import PairRanker
from blender_core.testing import ScriptedComparator, ScriptedFuser
from llamaindex_blender import (
    BlendedLLM,
    BlendedQueryEngine,
    GenFuserSynthesizer,
    LLMComparator,
    PairRankerRerank,
)


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


LONGEST = PairRanker(ScriptedComparator(longest))
INDEX = SummaryIndex.from_documents([Document(text="2 + 2 is 4.")])
QUESTION = "What is 2 + 2?"


class Base(CustomLLM):
    """Completes texts; keeps what it was shown."""

    seen: list[str] = Field(default_factory=list)
    said: str = "It be 4."
    window: int = 4000
    reserve: int = 200

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="base", context_window=self.window, num_output=self.reserve)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self.seen.append(prompt if formatted else str(self.completion_to_prompt(prompt)))
        return CompletionResponse(text=self.said)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        yield self.complete(prompt, formatted, **kwargs)


class Says(CustomQueryEngine):
    text: str

    def custom_query(self, query_str: str) -> str:
        return self.text


class Parsed(BaseOutputParser):
    """Wants a line at the end, and takes it off again."""

    def parse(self, output: str) -> str:
        if not output.endswith("DONE"):
            raise ValueError("is not done")
        return output.removesuffix("DONE")

    def format(self, query: str) -> str:
        return f"{query}\nEnd with DONE."


def member(**settings: Any) -> Base:
    return Base(**settings)


def queried(llm: Any) -> str:
    return str(INDEX.as_query_engine(llm=llm).query(QUESTION))


def aqueried(llm: Any) -> str:
    return str(asyncio.run(INDEX.as_query_engine(llm=llm).aquery(QUESTION)))


def predicted(llm: Any) -> str:
    return str(llm.predict(PromptTemplate("{q}"), q=QUESTION))


def apredicted(llm: Any) -> str:
    return str(asyncio.run(llm.apredict(PromptTemplate("{q}"), q=QUESTION)))


def streamed(llm: Any) -> str:
    return "".join(llm.stream(PromptTemplate("{q}"), q=QUESTION))


def astreamed(llm: Any) -> str:
    async def read() -> str:
        return "".join([p async for p in await llm.astream(PromptTemplate("{q}"), q=QUESTION)])

    return asyncio.run(read())


WAYS = pytest.mark.parametrize(
    "asked", [queried, aqueried, predicted, apredicted, streamed, astreamed]
)


@WAYS
@pytest.mark.parametrize(
    "settings",
    [
        {"system_prompt": "You are a pirate."},
        {"completion_to_prompt": lambda text: f"[INST] {text} [/INST]"},
        {"query_wrapper_prompt": PromptTemplate("Q: {query_str}")},
        {
            "system_prompt": "You are a pirate.",
            "completion_to_prompt": lambda text: f"[INST] {text} [/INST]",
            "query_wrapper_prompt": PromptTemplate("Q: {query_str}"),
        },
    ],
    ids=["system", "completion", "wrapper", "all"],
)
def test_a_member_sees_what_it_would_see_alone(asked, settings):
    alone, blended = member(**settings), member(**settings)
    asked(alone)
    answer = asked(BlendedLLM(members=[blended], ranker=LONGEST))
    assert blended.seen[-1] == alone.seen[-1]
    assert answer == "It be 4."


@pytest.mark.parametrize("asked", [queried, aqueried, predicted, apredicted])
def test_a_members_output_parser_asks_and_reads(asked):
    alone, blended = (member(output_parser=Parsed(), said="It be 4.DONE") for _ in range(2))
    members = {"one": blended, "two": member(output_parser=Parsed())}
    llm = BlendedLLM(members=members, ranker=LONGEST)
    assert asked(llm) == asked(alone) == "It be 4."
    assert blended.seen[-1] == alone.seen[-1]


@WAYS
def test_so_does_a_chat_model(asked):
    conversations: list[Any] = []

    class Chatting(Talker):
        def chat(self, messages: Any, **kwargs: Any) -> Any:
            conversations.append([(m.role, m.content) for m in messages])
            return super().chat(messages, **kwargs)

        async def achat(self, messages: Any, **kwargs: Any) -> Any:
            conversations.append([(m.role, m.content) for m in messages])
            return await super().achat(messages, **kwargs)

        def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
            conversations.append([(m.role, m.content) for m in messages])
            return super().stream_chat(messages, **kwargs)

    alone, blended = (Chatting(system_prompt="You are a pirate.") for _ in range(2))
    asked(alone)
    seen_alone = conversations[-1]
    asked(BlendedLLM(members=[blended], ranker=LONGEST))
    assert conversations[-1] == seen_alone


def test_messages_are_shown_to_a_base_model_in_its_own_words():
    base = member(messages_to_prompt=lambda messages: "|".join(m.content for m in messages))
    BlendedLLM(members={"base": base, "chat": says("4")}, ranker=LONGEST).chat(
        [ChatMessage(role="system", content="s"), ChatMessage(role="user", content="u")]
    )
    assert base.seen == ["s|u"]


def test_metadata_are_true_to_all_members():
    base, chatting = member(), says("4")
    assert not BlendedLLM(members=[base]).metadata.is_chat_model
    assert BlendedLLM(members=[base, chatting]).metadata.is_chat_model


@pytest.mark.parametrize(
    "limits",
    [[(2048, 1024), (2048, 128)], [(200_000, 64_000), (4096, 256)], [(3000, 100), (4000, 2000)]],
)
def test_what_fits_the_blend_fits_each_member(limits):
    members = [member(window=window, reserve=reserve) for window, reserve in limits]
    told = BlendedLLM(members=members).metadata
    assert told.context_window == min(window for window, _ in limits)
    longest_prompt = told.context_window - told.num_output
    assert longest_prompt == min(window - reserve for window, reserve in limits)


# Valid beats invalid


class City(BaseModel):
    name: str
    people: int


GOOD = '{"name": "Tokyo", "people": 13960000}'
BAD = [
    '{"name": "Tokyo", "people": 139600',
    '{"name": "Tokyo City in Japan", "people": "about 14 million"}',
    "Tokyo is the largest city, with nearly fourteen million people in it.",
]


def structured(llm: Any) -> Any:
    return llm.structured_predict(City, PromptTemplate("Which city? {x}"), x="")


def astructured(llm: Any) -> Any:
    return asyncio.run(llm.astructured_predict(City, PromptTemplate("Which city? {x}"), x=""))


def as_structured(llm: Any) -> Any:
    return llm.as_structured_llm(City).complete("Which city?").raw


def streamed_structured(llm: Any) -> Any:
    prompt = PromptTemplate("Which city? {x}")
    return list(llm.stream_structured_predict(City, prompt, x=""))[-1]


@pytest.mark.parametrize("asked", [structured, astructured, as_structured, streamed_structured])
@pytest.mark.parametrize("fuser", [None, ScriptedFuser("longer than any other " * 9)])
@pytest.mark.parametrize("chatting", [True, False])
def test_of_structured_answers_those_that_parse_win(asked, fuser, chatting):
    def one(text: str) -> Any:
        return says(text, tools=False) if chatting else member(said=text)

    llm = BlendedLLM(members=[one(text) for text in (*BAD, GOOD)], ranker=LONGEST, fuser=fuser)
    found = asked(llm)
    assert (found.name, found.people) == ("Tokyo", 13960000)


@pytest.mark.parametrize("chatting", [True, False])
def test_a_program_of_llamaindexs_gets_what_it_can_read(chatting):
    def one(text: str) -> Any:
        return says(text, tools=False) if chatting else member(said=text)

    llm = BlendedLLM(members=[one(text) for text in (*BAD, GOOD)], ranker=LONGEST)
    program = LLMTextCompletionProgram.from_defaults(
        output_cls=City, prompt_template_str="Which city?", llm=llm
    )
    assert program() == asyncio.run(program.acall()) == City(name="Tokyo", people=13960000)


def test_equal_objects_are_votes():
    texts = [
        GOOD,
        json.dumps(json.loads(GOOD), indent=1),
        '{"name": "Mexico City, Mexico", "people": 1}',
    ]
    members = {str(i): says(text, tools=False) for i, text in enumerate([*texts, texts[2] + " "])}
    members.pop("3")
    assert structured(BlendedLLM(members=members, ranker=LONGEST)).name == "Tokyo"


@pytest.mark.parametrize(
    ("valid", "invalid"),
    [
        (GOOD, BAD[0] + " " * 40 + "and"),
        (f"```json\n{GOOD}\n```", '```json\n{"name": "Tokyo City, Japan, the capital", \n```'),
        (
            'Thought: I look.\nAction: look\nAction Input: {"x": 1}',
            "Thought: I look it up now, and then I tell what I found.\nAction: look, at x",
        ),
    ],
)
def test_what_a_program_reads_is_picked_and_valid_beats_invalid(valid, invalid):
    fuser = ScriptedFuser("prose " * 50)
    members = {"valid": says(valid), "invalid": says(invalid)}
    llm = BlendedLLM(members=members, ranker=LONGEST, fuser=fuser)
    response = llm.chat([ChatMessage(content="q")])
    assert response.message.content == valid
    told = response.additional_kwargs["blend"]
    assert "cannot be read" in told["set_aside"]["invalid"]
    two = BlendedLLM(members=[says(valid), says(f"{valid}\n")], ranker=LONGEST, fuser=fuser)
    assert two.complete("q").text.strip() == valid


def test_an_output_parser_of_the_blends_own_says_what_is_valid():
    parser = PydanticOutputParser(City)
    members = [says(GOOD, tools=False), says(BAD[2], tools=False)]
    llm = BlendedLLM(members=members, ranker=LONGEST, output_parser=parser)
    assert "Tokyo" in llm.predict(PromptTemplate("Which city?"))


async def test_one_call_can_say_do_not_fuse():
    llm = BlendedLLM(members=[says("a"), says("aa")], ranker=LONGEST, fuser=ScriptedFuser("aaaa"))
    messages = [ChatMessage(content="q")]
    assert llm.chat(messages).message.content == "aaaa"
    assert llm.chat(messages, fuse=False).message.content == "aa"
    assert (await llm.achat(messages, fuse=False)).message.content == "aa"
    assert llm.complete("q", fuse=False).text == "aa"
    assert list(llm.stream_chat(messages, fuse=False))[-1].message.content == "aa"


def test_thoughts_are_not_judged_and_kept():
    thoughts = f"<think>\n{'Maybe it is Sydney? ' * 20}\n</think>\n\n"
    short, long = f"{thoughts}Canberra.", "It is Canberra, the capital."
    llm = BlendedLLM(members={"thinks": says(short), "says": says(long)}, ranker=LONGEST)
    assert llm.complete("q").text == long
    assert BlendedLLM(members=[says(short)], ranker=LONGEST).complete("q").text == short


@pytest.mark.parametrize("verify", [True, False])
async def test_a_fusers_thoughts_are_no_part_of_the_text(verify):
    fuser = says("<think>\nBoth say 4, I think.\n</think>\n\nIt surely is 4, all say.")
    llm = BlendedLLM(
        members=[says("4"), says("It is 4.")], ranker=LONGEST, fuser=fuser, verify=verify
    )
    said = "It surely is 4, all say."
    assert llm.complete("2 + 2?").text == (await llm.acomplete("2 + 2?")).text == said
    messages = [ChatMessage(content="2 + 2?")]
    pieces = [one async for one in await llm.astream_chat(messages)]
    streamed = list(llm.stream_chat(messages))
    assert (streamed[-1].message.content or "").strip() == said
    assert (pieces[-1].message.content or "").strip() == said


# Callbacks and usage


def counting() -> tuple[TokenCountingHandler, CallbackManager]:
    counter = TokenCountingHandler(tokenizer=str.split)
    return counter, CallbackManager([counter])


@pytest.fixture
def settings_alone():
    before = Settings._callback_manager
    Settings.callback_manager = CallbackManager([])
    yield
    Settings._callback_manager = before


def client(port: str, behaviour: str, **settings: Any) -> OpenAILike:
    base = f"http://127.0.0.1:{port}/{behaviour}/v1"
    return OpenAILike(model="m", api_base=base, api_key="k", is_chat_model=True, **settings)


@WAYS
@pytest.mark.parametrize("where", ["blend", "members", "both", "settings before", "settings after"])
def test_a_counter_sees_each_call_once(asked, where, settings_alone):
    counter, manager = counting()
    if where == "settings before":
        Settings.callback_manager = manager
    members = [says("4"), says("It is 4.")]
    llm = BlendedLLM(members=members, ranker=LONGEST, fuser=says("It surely is 4."))
    if where in ("members", "both"):
        for one in (*members, llm.fuser):
            one.callback_manager = manager
    if where in ("blend", "both"):
        llm.callback_manager = manager
    if where == "settings after":
        Settings.callback_manager = manager
    asked(llm)
    calls = len(counter.llm_token_counts)
    # LlamaIndex's engines put the manager of Settings in the place of the LLM's own.
    assert calls == (0 if where == "blend" and asked in (queried, aqueried) else 3)


def test_two_counters_see_all_and_a_new_one_takes_the_olds_place(settings_alone):
    own, own_manager = counting()
    member_of_two = says("4")
    member_of_two.callback_manager = own_manager
    llm = BlendedLLM(members=[member_of_two, says("It is 4.")], ranker=LONGEST)
    first, llm.callback_manager = counting()
    llm.complete("q")
    second, llm.callback_manager = counting()
    llm.complete("q")
    counts = [len(one.llm_token_counts) for one in (own, first, second)]
    assert counts == [2, 2, 2]


def test_judges_and_fusers_of_engines_are_counted(settings_alone):
    counter, manager = counting()
    judge, fuser = says("A"), says("It surely is 4.")
    engine = BlendedQueryEngine.from_engines(
        {"one": Says(text="4"), "two": Says(text="It is 4.")},
        ranker=PairRanker(LLMComparator(judge, structured=False)),
        fuser=fuser,
        callback_manager=manager,
    )
    engine.query("2 + 2?")
    assert len(counter.llm_token_counts) == len(judge.asked) + len(fuser.asked) == 5
    asyncio.run(engine.aquery("2 + 2?"))
    assert len(counter.llm_token_counts) == len(judge.asked) + len(fuser.asked) == 10


def test_a_synthesizers_fuser_is_counted_also_in_a_stream(settings_alone):
    counter, manager = counting()
    nodes = INDEX.as_retriever().retrieve("q") * 2
    nodes[1] = nodes[1].model_copy(update={"node": nodes[1].node.model_copy(update={"text": "5"})})
    synthesizer = GenFuserSynthesizer(
        says("Both."), verify=False, ranker=LONGEST, streaming=True, callback_manager=manager
    )
    assert "Both." in str(synthesizer.synthesize("2 + 2?", nodes).get_response())
    assert len(counter.llm_token_counts) == 1


def test_over_http_counters_and_reports_have_the_providers_own_numbers(port, settings_alone):
    counter, manager = counting()
    members = {"one": client(port, "fine"), "two": client(port, "fine")}
    llm = BlendedLLM(members=members, ranker=LONGEST, callback_manager=manager)
    response = llm.chat([ChatMessage(content="hello there")])
    assert [(c.prompt_token_count, c.completion_token_count) for c in counter.llm_token_counts] == [
        (7, 4),
        (7, 4),
    ]
    told = response.additional_kwargs
    one = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    assert told["blend"]["usage"] == {"one": one, "two": one}
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (14, 8, 22)


def test_usage_that_nobody_tells_is_absent():
    response = BlendedLLM(members=[says("4")], ranker=LONGEST).chat([ChatMessage(content="q")])
    assert response.additional_kwargs["blend"]["usage"] == {}
    assert "total_tokens" not in response.additional_kwargs


def test_a_member_that_always_fails_is_warned_of_once(caplog):
    llm = BlendedLLM(
        members={"broken": says("x", error=RuntimeError("away")), "fine": says("4")},
        ranker=LONGEST,
    )
    for _ in range(4):
        llm.complete("q")
    assert caplog.text.count("broken gave no response: RuntimeError: away") == 1


# Copies


@pytest.mark.parametrize("make", [BlendedLLM, PairRankerRerank])
def test_what_cannot_be_pickled_says_so_and_stays_whole(make):
    given = {"members": [member()]} if make is BlendedLLM else {}
    one = make(ranker=PairRanker(ScriptedComparator(lambda _: 0.0)), **given)
    with pytest.raises(TypeError, match=f"'ranker' of a {make.__name__}"):
        pickle.dumps(one)
    assert isinstance(one.ranker, PairRanker)


def test_a_copy_has_all_that_was_set():
    llm = BlendedLLM(members={"a": member(said="4"), "b": member()}, ranker=LONGEST, top_k=2)
    again = pickle.loads(pickle.dumps(llm))  # noqa: S301 - our own
    assert (again.top_k, list(again.members)) == (2, ["a", "b"])
    assert again.complete("q").text == llm.complete("q").text == "It be 4."
