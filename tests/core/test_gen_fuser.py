"""GenFuser against the original program's numbers, and against hostile text and broken files."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import BartConfig, BartForConditionalGeneration

from blender_core.candidates import Candidate, Task
from blender_core.errors import CheckpointError, InputError
from blender_core.fusion.gen_fuser import GenFuser
from blender_core.fusion.prompt import FusionPrompt, tidied
from blender_core.fusion.streaming import TokenStreamer, streamed
from blender_core.models.tokenizer import TextTokenizer

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CHECKPOINT = GOLDEN / "checkpoints" / "tiny-gen-fuser"
CASES = {c["id"]: c for c in json.loads((GOLDEN / "fuse_cases.json").read_text("utf-8"))}
EQUAL = [case for case in CASES if case != "f06"]
"""f06 holds control tokens in answers, which the original obeys and we read as text."""

END, UNKNOWN, FIRST_SENTINEL, LAST_SENTINEL = 1, 2, 1099, 1000


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """The model is so small that threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def fuser():
    return GenFuser.from_pretrained(CHECKPOINT, device="cpu")


@pytest.fixture
def broken(tmp_path):
    """A copy of the checkpoint, to break."""
    return Path(shutil.copytree(CHECKPOINT, tmp_path / "checkpoint"))


def tasks_of(case):
    instructions = case["instructions"] or [""] * len(case["inputs"])
    return [
        Task(*task) for task in zip(instructions, case["candidates"], case["inputs"], strict=True)
    ]


def kwargs_of(case):
    length = {} if case.get("use_default_new_tokens") else {"max_new_tokens": 24}
    return {**case.get("kwargs", {}), **length}


def without_padding(rows):
    return [row[: max(place + 1 for place, i in enumerate(row) if i)] for row in rows]


# --- equal to the original -------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_prompt_text_is_the_originals(fuser, name):
    case = CASES[name]
    length = case.get("kwargs", {}).get("candidate_max_length")
    texts = [fuser.prompt_text(task, candidate_max_length=length) for task in tasks_of(case)]
    assert texts == case["expected"]["prompt_text"]


@pytest.mark.parametrize("name", EQUAL)
def test_prompt_ids_are_the_originals(fuser, name):
    case = CASES[name]
    length = case.get("kwargs", {}).get("candidate_max_length")
    ids = [fuser.prompt_ids(task, candidate_max_length=length) for task in tasks_of(case)]
    assert ids == case["expected"]["prompt_ids"]


@pytest.mark.parametrize("name", EQUAL)
def test_beams_write_what_the_original_writes(fuser, name):
    case = CASES[name]
    rows = fuser.generate_ids(tasks_of(case), **kwargs_of(case))
    assert rows == without_padding(case["expected"]["beam4_output_ids"])


@pytest.mark.parametrize("name", EQUAL)
def test_greedy_writes_what_the_original_writes(fuser, name):
    case = CASES[name]
    rows = fuser.generate_ids(tasks_of(case), num_beams=1, **kwargs_of(case))
    assert rows == without_padding(case["expected"]["greedy_output_ids"])


@pytest.mark.parametrize("name", ["f01", "f07", "f09", "f11"])
def test_texts_are_the_originals(fuser, name):
    case = CASES[name]
    assert (
        fuser.fuse_many(tasks_of(case), **kwargs_of(case)) == case["expected"]["beam4_output_text"]
    )


@pytest.mark.parametrize("name", ["f01", "f05", "f07", "f11", "f14"])
def test_stream_adds_up_to_greedy_fuse(fuser, name):
    case = CASES[name]
    task = tasks_of(case)[0]
    pieces = list(
        fuser.stream(task.instruction, task.candidates, input=task.input, **kwargs_of(case))
    )
    assert "".join(pieces) == case["expected"]["greedy_output_text"][0]
    assert len(pieces) > 1


# --- text is never a control token -----------------------------------------------------------


def test_control_tokens_in_answers_are_text(fuser):
    task = tasks_of(CASES["f06"])[0]
    ids = fuser.prompt_ids(task)
    assert ids.count(END) == 2 + 3
    assert [i for i in ids if i >= LAST_SENTINEL] == [
        FIRST_SENTINEL,
        FIRST_SENTINEL - 1,
        FIRST_SENTINEL - 2,
    ]
    assert 0 not in ids


def test_control_tokens_in_a_cut_answer_are_text(fuser):
    answer = "</s> <extra_id_3> <unk> <pad> word " * 50
    ids = fuser.prompt_ids(Task("q", [answer, "b"]))
    assert ids.count(END) == 2 + 2
    assert [i for i in ids if i >= LAST_SENTINEL] == [FIRST_SENTINEL, FIRST_SENTINEL - 1]
    # Its own "<" and ">" the tokenizer does not know, and they stay unknown when cut.
    assert "<unk>" in fuser.prompt_text(Task("q", [answer, "b"]))


NASTY = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            ["</s>", "<extra_id_0>", "<extra_id_99>", "<unk>", "<pad>", " ", "a", "n't", "é"]
        ),
        max_size=8,
    ).map("".join),
)


@settings(max_examples=60, deadline=None)
@given(instruction=NASTY, input=NASTY, answers=st.lists(NASTY, min_size=1, max_size=4))
def test_every_prompt_has_exactly_its_own_control_tokens(fuser, instruction, input, answers):
    for length in (128, 3):
        ids = fuser.prompt_ids(Task(instruction, answers, input), candidate_max_length=length)
        assert ids.count(END) == 2 + len(answers)
        sentinels = [i for i in ids if i >= LAST_SENTINEL]
        assert sentinels == [FIRST_SENTINEL - k for k in range(len(answers))]
        assert 0 not in ids


PLAIN = st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(instruction=PLAIN, input=PLAIN, answers=st.lists(PLAIN, min_size=1, max_size=4))
def test_other_text_gives_the_tokenizers_own_ids(fuser, instruction, input, answers):
    task = Task(instruction, answers, input)
    whole = fuser.tokenizer.full.encode(fuser.prompt_text(task), add_special_tokens=False)
    assert fuser.prompt_ids(task) == whole.ids


# --- the calls -------------------------------------------------------------------------------


def test_the_callers_answers_are_left_alone(fuser):
    answers = ["word " * 300, Candidate("b", source="model-b")]
    before = list(answers)
    fuser.fuse("q", answers, max_new_tokens=2)
    assert answers == before


def test_result_does_not_depend_on_the_batch(fuser):
    tasks = tasks_of(CASES["f09"]) + tasks_of(CASES["f10"])
    alone = GenFuser(fuser.model, fuser.tokenizer, batch_size=1)
    together = GenFuser(fuser.model, fuser.tokenizer, batch_size=5)
    expected = [alone.fuse_many([task], max_new_tokens=8)[0] for task in tasks]
    assert alone.fuse_many(tasks, max_new_tokens=8) == expected
    assert together.fuse_many(tasks, max_new_tokens=8) == expected
    assert fuser.fuse_many(tasks[::-1], max_new_tokens=8) == expected[::-1]


def test_no_tasks_give_no_texts(fuser):
    assert fuser.fuse_many([]) == []


def test_candidate_max_length_of_a_call_is_also_the_length_of_the_text(fuser):
    task = Task("Say something.", ["one two three four five six", "b"])
    assert len(fuser.generate_ids([task], candidate_max_length=5)[0]) <= 1 + 5
    rows = fuser.generate_ids([task], candidate_max_length=5, max_new_tokens=9, min_new_tokens=9)
    assert len(rows[0]) == 1 + 9
    own = GenFuser(fuser.model, fuser.tokenizer, candidate_max_length=5)
    assert own.prompt_ids(task) == fuser.prompt_ids(task, candidate_max_length=5)
    assert own.generate_ids([task]) == fuser.generate_ids([task], candidate_max_length=5)


def test_sampling_follows_the_seed(fuser):
    def sampled(seed):
        torch.manual_seed(seed)
        return fuser.fuse("q", ["a", "b"], do_sample=True, num_beams=1, max_new_tokens=12)

    with torch.random.fork_rng():
        assert sampled(1) == sampled(1) != sampled(2)


def test_prompt_is_cut_at_max_length(fuser):
    task = tasks_of(CASES["f01"])[0]
    short = GenFuser(fuser.model, fuser.tokenizer, max_length=20)
    assert short.prompt_ids(task) == fuser.prompt_ids(task)[:20]


def test_progress_goes_to_stderr(fuser, capsys):
    tasks = [Task("q", ["a", "b"])] * 2
    quiet = fuser.fuse_many(tasks, max_new_tokens=2)
    assert capsys.readouterr().err == ""
    assert fuser.fuse_many(tasks, max_new_tokens=2, show_progress=True) == quiet
    captured = capsys.readouterr()
    assert "/2 " in captured.err
    assert captured.out == ""


async def test_afuse_many_writes_the_same(fuser):
    own = GenFuser(fuser.model, fuser.tokenizer, candidate_max_length=12)
    tasks = tasks_of(CASES["f10"])
    first, second = await asyncio.gather(own.afuse_many(tasks), own.afuse_many(tasks[1:]))
    assert first == own.fuse_many(tasks)
    assert second == first[1:]


# --- streaming -------------------------------------------------------------------------------


def streaming_threads():
    return [thread for thread in threading.enumerate() if "blended-llm" in thread.name]


@pytest.fixture
def long_stream(fuser):
    """The stream of a text of 1000 tokens, and the length of the text at each step."""
    steps = []

    def watch(_, ids):
        steps.append(len(ids))
        return range(3, 900)

    options = {"max_new_tokens": 1000, "prefix_allowed_tokens_fn": watch}
    return iter([fuser.stream("q", ["a", "b"], **options)]), steps


def test_closing_a_stream_stops_the_model(long_stream):
    (stream,), steps = long_stream
    assert "".join(islice(stream, 3))
    assert len(streaming_threads()) == 1
    stream.close()
    assert streaming_threads() == []
    assert max(steps) < 500


def test_dropping_a_stream_stops_the_model(long_stream):
    (stream,), steps = long_stream
    next(stream)
    del stream
    assert streaming_threads() == []
    assert max(steps) < 500


def test_a_stream_never_read_starts_nothing(long_stream):
    (stream,), steps = long_stream
    assert streaming_threads() == []
    stream.close()
    assert steps == []


def test_what_goes_wrong_while_streaming_is_raised_to_the_reader(fuser):
    def fails_late(_, ids):
        if len(ids) == 6:
            raise ZeroDivisionError("the sixth token")
        return range(3, 900)

    stream = fuser.stream("q", ["a"], max_new_tokens=20, prefix_allowed_tokens_fn=fails_late)
    with pytest.raises(ZeroDivisionError, match="the sixth token"):
        list(stream)
    assert streaming_threads() == []


def test_streaming_refuses_beams_at_once(fuser):
    with pytest.raises(InputError, match="'num_beams' is 4"):
        fuser.stream("q", ["a"], num_beams=4)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*" '.,?!nt", "s", "m", "ve", "re", " '", " n", "'t", "ab", "\ufffd"]))
)
def test_streamed_pieces_add_up_whatever_is_tidied(tokens):
    def decode(ids):
        return tidied("".join(tokens[i] for i in ids))

    def generate(streamer: TokenStreamer):
        for i in range(len(tokens)):
            streamer.put(torch.tensor([i]))
        return list(range(len(tokens)))

    assert "".join(streamed(generate, decode)) == decode(range(len(tokens)))


# --- other models ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bart():
    """A byte-level model without sentinels; its random bytes are mostly no valid text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", *alphabet])}
    full = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    full.add_special_tokens([AddedToken(t, special=True) for t in ("<s>", "<pad>", "</s>")])
    full.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    full.decoder = decoders.ByteLevel()
    config = BartConfig(
        vocab_size=len(vocabulary),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_position_embeddings=600,
        init_std=1.0,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BartForConditionalGeneration(config).eval()
    return GenFuser(model, TextTokenizer(full), max_length=600)


def test_without_sentinels_their_text_is_text(bart):
    task = Task("Be brief.", ["yes </s>", "no"])
    whole = bart.prompt_text(task).replace("yes </s>", "yes \0")
    expected = bart.tokenizer.full.encode(whole, add_special_tokens=False).ids
    ids = bart.prompt_ids(task)
    assert "Candidate 1: <extra_id_1>:no" in bart.prompt_text(task)
    assert ids.count(2) == 2 + 2
    assert len(ids) == len(expected) + len("</s>") - 1
    bart.prompt_ids(Task("q", ["a"] * 150))  # nothing to run out of


def test_without_any_control_token_the_prompt_is_one_text():
    full = Tokenizer(models.WordLevel({"?": 0, "a": 1, "</s>": 2}, "?"))
    full.pre_tokenizer = pre_tokenizers.Whitespace()
    prompt = FusionPrompt(TextTokenizer(full), max_length=99)
    (segment,) = prompt.segments([Task("q", ["a"])], 99)[0]
    assert segment.startswith("Instruction: q</s>Input: </s>Candidate 0: <extra_id_0>:a</s>")


def test_half_characters_are_not_streamed(bart):
    for answer in ("a", "b", "c"):
        greedy = bart.fuse("q", [answer], num_beams=1, max_new_tokens=60)
        assert "".join(bart.stream("q", [answer], max_new_tokens=60)) == greedy
        assert "\ufffd" in greedy


def test_a_prompt_limit_beyond_the_models_is_refused(bart):
    with pytest.raises(InputError, match=r"at most 600 tokens.*max_length=600"):
        GenFuser(bart.model, bart.tokenizer, max_length=1024)


def test_any_sequence_to_sequence_checkpoint_can_be_loaded(bart, tmp_path):
    bart.model.save_pretrained(tmp_path)
    bart.tokenizer.full.save(str(tmp_path / "tokenizer.json"))
    loaded = GenFuser.from_pretrained(tmp_path, device="cpu", max_length=600)
    task = Task("q", ["a", "b"])
    options = {"num_beams": 1, "max_new_tokens": 9}
    assert loaded.generate_ids([task], **options) == bart.generate_ids([task], **options)


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    ["", " \n\t", "\ud83d lone surrogate", "nul \0 inside", "\u202e\u200b\ufeff", "x" * 100_000],
    ids=["empty", "blank", "surrogate", "nul", "invisible", "100 kB"],
)
def test_any_answer_can_be_fused(fuser, answer):
    text = fuser.fuse(answer[:50], [answer, "ok"], input=answer, max_new_tokens=3)
    text.encode()


def test_more_answers_than_sentinels(fuser):
    assert fuser.fuse("q", ["a"] * 100, max_new_tokens=1) is not None
    with pytest.raises(InputError, match=r"101 candidates.*at most 100"):
        fuser.fuse("q", ["a"] * 101)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beam": 3}, "unknown generation option 'num_beam'; did you mean 'num_beams'"),
        ({"custom_generate": "someone/code"}, "unknown generation option 'custom_generate'"),
        ({"trust_remote_code": True}, "unknown generation option 'trust_remote_code'"),
        ({"input_ids": [[1]]}, "unknown generation option 'input_ids'"),
        ({"max_length": 20}, "'max_new_tokens'"),
        ({"num_return_sequences": 2}, "one text a task"),
        ({"return_dict_in_generate": True}, "one text a task"),
        ({"num_beams": 0}, "'num_beams' must be a whole number of at least 1, got 0"),
        ({"max_new_tokens": "many"}, "'max_new_tokens' must be a whole number"),
        ({"candidate_max_length": 0}, "'candidate_max_length' must be a whole number"),
        ({"early_stopping": "soon"}, "generation options do not go together"),
    ],
)
def test_generation_options_are_checked(fuser, options, message):
    with pytest.raises(InputError, match=message):
        fuser.fuse("q", ["a"], **options)


def test_a_task_that_is_none_is_named(fuser):
    with pytest.raises(InputError, match="task 1 must be a Task, got str"):
        fuser.fuse_many([Task("q", ["a"]), "q"])


# --- checkpoints -----------------------------------------------------------------------------


def test_precision_is_what_was_asked_for_whatever_the_file(fuser, broken):
    weights = load_file(broken / "model.safetensors")
    halves = {name: w.to(torch.bfloat16) for name, w in weights.items()}
    save_file(halves, broken / "model.safetensors", {"format": "pt"})
    assert GenFuser.from_pretrained(broken, device="cpu").model.dtype == torch.float32
    loaded = GenFuser.from_pretrained(CHECKPOINT, device="cpu", dtype="bfloat16")
    assert loaded.model.dtype == torch.bfloat16
    assert isinstance(loaded.fuse("q", ["a", "b"], max_new_tokens=3), str)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("decoder.final_layer_norm.weight"), "1 missing: decoder.final_layer"),
        (lambda w: w.update(surprise=torch.ones(2)), "1 not part of the model: surprise"),
        (lambda w: w.update({"shared.weight": torch.ones(3, 64)}), "1 of another shape: shared.w"),
    ],
    ids=["missing", "extra", "shape"],
)
def test_weights_must_fit(broken, change, message):
    weights = load_file(broken / "model.safetensors")
    change(weights)
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=message):
        GenFuser.from_pretrained(broken)


def test_broken_files_are_named(broken):
    weights = broken / "model.safetensors"
    whole = weights.read_bytes()
    for cut in (len(whole) // 2, 100, 0):
        weights.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match=r"model\.safetensors: broken or truncated"):
            GenFuser.from_pretrained(broken)
    weights.write_bytes(whole)
    (broken / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: not a readable"):
        GenFuser.from_pretrained(broken)
    weights.unlink()
    with pytest.raises(CheckpointError, match="no weights; expected"):
        GenFuser.from_pretrained(broken)


@pytest.mark.parametrize(
    ("model_type", "message"),
    [
        ("llama", "no model of this kind for 'llama'"),
        ("nonesuch", "none of the text models"),
    ],
)
def test_other_kinds_of_model_are_refused(broken, model_type, message):
    (broken / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(CheckpointError, match=message):
        GenFuser.from_pretrained(broken)


def test_code_in_a_checkpoint_is_not_run(broken):
    config = json.loads((broken / "config.json").read_text())
    config.update(model_type="own", auto_map={"AutoConfig": "own.Config"})
    (broken / "config.json").write_text(json.dumps(config))
    (broken / "own.py").write_text("raise SystemExit('code was run')")
    with pytest.raises(CheckpointError):
        GenFuser.from_pretrained(broken)


class Bomb:
    def __reduce__(self):
        return (sys.exit, ("code was run",))


def test_code_in_a_weights_file_is_not_run(broken):
    (broken / "model.safetensors").unlink()
    torch.save({"shared.weight": Bomb()}, broken / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: not a file of plain") as caught:
        GenFuser.from_pretrained(broken)
    assert "weights_only" not in str(caught.value)


def test_a_folder_without_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json: file is missing"):
        GenFuser.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="no such folder"):
        GenFuser.from_pretrained(tmp_path / "nowhere")


def test_tokenizer_of_another_model(broken):
    file = str(broken / "tokenizer.json")
    tokenizer = Tokenizer.from_file(file)
    tokenizer.add_tokens([f"new{i}" for i in range(10)])
    tokenizer.save(file)
    with pytest.raises(CheckpointError, match="ids up to 1109, the model only 1104 embeddings"):
        GenFuser.from_pretrained(broken)


def test_checkpoint_with_sentencepiece_model_only(fuser, broken):
    (broken / "tokenizer.json").unlink()
    loaded = GenFuser.from_pretrained(broken, device="cpu")
    for name in ("f01", "f05", "f14"):
        task = tasks_of(CASES[name])[0]
        assert loaded.prompt_ids(task) == fuser.prompt_ids(task)


@pytest.mark.parametrize("content", [None, b"no sentencepiece model"], ids=["missing", "broken"])
def test_checkpoint_without_a_usable_tokenizer(broken, content):
    (broken / "tokenizer.json").unlink()
    (broken / "spiece.model").unlink()
    if content:
        (broken / "spiece.model").write_bytes(content)
    with pytest.raises(CheckpointError, match="no tokenizer"):
        GenFuser.from_pretrained(broken)


def test_weights_without_values_are_named(broken):
    weights = load_file(broken / "model.safetensors")
    (broken / "model.safetensors").unlink()
    shells = {name: weight.to("meta") for name, weight in weights.items()}
    torch.save(shells, broken / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: not a file of plain weights"):
        GenFuser.from_pretrained(broken)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("eos_token_id", "x", "'eos_token_id"),
        ("pad_token_id", -1, "'pad_token_id' must be greater than or equal to 0, got -1"),
        ("max_length", 0, "'max_length' must be greater than or equal to 1, got 0"),
        ("num_beams", 1.5, "'num_beams' must be a whole number"),
        ("early_stopping", [], "'early_stopping"),
    ],
)
def test_a_generation_config_of_impossible_values_is_named(broken, key, value, said):
    file = broken / "generation_config.json"
    file.write_text(json.dumps({key: value}))
    with pytest.raises(CheckpointError, match=rf"generation_config\.json: {said}"):
        GenFuser.from_pretrained(broken)
