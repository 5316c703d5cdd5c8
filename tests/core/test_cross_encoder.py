"""The cross-encoder on every kind of backbone: same numbers, whatever the batch and the path."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from golden_data import CHECKPOINTS
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModel

from blender_core import PairRanker
from blender_core.candidates import Pair, Task
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.comparison.encoders import DebertaEncoder, PlainEncoder
from blender_core.comparison.encoders.deberta import _Buckets
from blender_core.comparison.encoding import Limits, Markers, PairEncoder
from blender_core.comparison.pair_model import PairModel
from blender_core.errors import InputError, ModelOutputError
from blender_core.models.batching import pack, padding_share
from blender_core.models.tokenizer import TextTokenizer

SMALL = {
    "vocab_size": 2005,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "pad_token_id": 0,
}
DEBERTA = {
    **SMALL,
    "model_type": "deberta-v2",
    "relative_attention": True,
    "position_buckets": 16,
    "max_position_embeddings": 64,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
BACKBONES = {
    "bert": {**SMALL, "model_type": "bert"},
    "roberta": {**SMALL, "model_type": "roberta", "max_position_embeddings": 514},
    "xlm-roberta": {**SMALL, "model_type": "xlm-roberta", "max_position_embeddings": 514},
    "bart": {
        "model_type": "bart",
        "vocab_size": 2005,
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
    },
    "modernbert": {**SMALL, "model_type": "modernbert", "max_position_embeddings": 512},
    "t5": {
        "model_type": "t5",
        "vocab_size": 2005,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 4,
        "pad_token_id": 0,
        "decoder_start_token_id": 0,
    },
    "deberta-v3": DEBERTA,
    "deberta, no buckets": {**DEBERTA, "position_buckets": -1},
    "deberta, own position projections": {**DEBERTA, "share_att_key": False},
    "deberta, one position term": {**DEBERTA, "pos_att_type": ["c2p"]},
    "deberta, absolute positions too": {
        **DEBERTA,
        "position_biased_input": True,
        "max_position_embeddings": 512,
    },
    "deberta-v2 with convolution": {**DEBERTA, "conv_kernel_size": 3, "conv_act": "gelu"},
}
every_backbone = pytest.mark.parametrize("backbone", BACKBONES)

WORDS = [
    "the",
    "answer",
    "is",
    "that",
    "you",
    "may",
    "use",
    "and",
    "work",
    "of",
    "this",
    "program",
    "in",
    "any",
    "way",
]


def text(words: int, seed: int) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, words))


PAIRS = [
    Pair(text(q, q), text(a, q + a), text(b, 7 * q + b))
    for q, a, b in [(3, 2, 40), (1, 1, 1), (60, 9, 3), (5, 33, 33), (8, 0, 5), (2, 120, 90)]
]


def tokenizer() -> TextTokenizer:
    return TextTokenizer.from_file(CHECKPOINTS / "tiny-PairRM" / "tokenizer.json", tuple(Markers()))


def built(backbone: str, **options) -> CrossEncoder:
    torch.manual_seed(0)
    model = PairModel(AutoModel.from_config(AutoConfig.for_model(**BACKBONES[backbone])))
    for weight in model.parameters():  # the usual initialisation gives logits of nearly 0
        torch.nn.init.normal_(weight, std=0.3) if weight.dim() > 1 else None
    return CrossEncoder(model, tokenizer(), Limits(200, 100), dtype="float64", **options)


@every_backbone
def test_a_result_never_changes_with_the_batch(backbone):
    together = built(backbone, max_batch_tokens=100_000).logits(PAIRS)
    alone = built(backbone, max_batch_tokens=1)
    np.testing.assert_allclose(together, [alone.logits([p])[0] for p in PAIRS], atol=1e-6)
    np.testing.assert_allclose(together[::-1], alone.logits(PAIRS[::-1]), atol=1e-6)
    assert np.ptp(together) > 0.01


@every_backbone
def test_saved_and_loaded_again_it_answers_the_same(backbone, tmp_path):
    encoder = built(backbone)
    encoder.save_pretrained(tmp_path)
    again = CrossEncoder.from_pretrained(tmp_path, dtype="float64")
    assert again.pairs.limits == encoder.pairs.limits
    np.testing.assert_allclose(again.logits(PAIRS), encoder.logits(PAIRS), atol=1e-6)


@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name.startswith("deberta")])
def test_deberta_equals_the_one_of_transformers(backbone):
    encoder = built(backbone)
    rows = encoder.pairs.encode(PAIRS)
    assert max(map(len, rows)) > 200  # beyond the exact positions, where buckets grow
    plain = PlainEncoder(encoder.model.pretrained_model, encoder.pairs.marker_place, 0)
    with torch.inference_mode():
        expected = [encoder.model([row], plain).item() for row in rows]
    np.testing.assert_allclose(encoder.logits(PAIRS), expected, atol=1e-6)


def test_deberta_v3_takes_the_fast_path():
    fast = {name for name in BACKBONES if isinstance(built(name)._encoder, DebertaEncoder)}
    assert fast == {"deberta-v3", "deberta, no buckets", "deberta, absolute positions too"}


def test_an_encoder_decoder_reads_the_question_first_and_the_answers_after():
    encoder = built("t5")
    t5 = encoder.model.pretrained_model
    row = encoder.pairs.encode(PAIRS[:1])[0]
    with torch.inference_mode():
        output = t5(
            input_ids=torch.tensor(row.source)[None],
            decoder_input_ids=torch.tensor([*row.first, *row.second])[None],
        )
        place = row.source.tolist().index(2001)
        first, second = output.last_hidden_state[0, [place, len(row.first) + place]]
        source = output.encoder_last_hidden_state[0, place]
        head = encoder.model.head_layer
        expected = head(torch.cat([source, first])) - head(torch.cat([source, second]))
    assert (row.first[place], row.second[place]) == (2002, 2003)
    assert encoder.logits(PAIRS[:1])[0] == pytest.approx(expected.item(), abs=1e-5)


def test_a_long_question_never_pushes_an_answer_out():
    encoder = PairEncoder(tokenizer(), Limits(50, 20))
    row = encoder.encode([Pair(text(5000, 1), text(5000, 2), text(5000, 3))])[0]
    assert [len(part) for part in (row.source, row.first, row.second)] == [50, 20, 20]
    row = encoder.encode([Pair("hello", text(5000, 2), "no")])[0]
    assert len(row.first) == 20 + (50 - len(row.source)) // 2
    assert [row.ids.tolist().count(marker) for marker in (2001, 2002, 2003)] == [1, 1, 1]


def test_each_text_is_tokenized_once_and_identical_rows_run_once(monkeypatch):
    encoder = built("bert")
    tokenized: list[str] = []
    rows_run: list[int] = []
    encode, forward = encoder.pairs.tokenizer.encode, encoder._forward
    monkeypatch.setattr(
        encoder.pairs.tokenizer, "encode", lambda texts: tokenized.extend(texts) or encode(texts)
    )
    monkeypatch.setattr(
        encoder, "_forward", lambda rows: rows_run.append(len(rows)) or forward(rows)
    )
    PairRanker(encoder).rank_many([Task("q", ["a", "b", "c", "a"]), Task("p", ["a", "b"])])
    assert sorted(tokenized) == ["a", "b", "c", "p", "q"]
    assert sum(rows_run) == (6 + 1) + 2
    rows_run.clear()
    logits = encoder.logits([Pair("q", "same ", "x"), Pair("q", " same", "x")])
    assert logits[0] == logits[1]
    assert rows_run == [1]


def test_progress_is_reported_batch_by_batch_and_covers_every_pair():
    encoder = built("bert", max_batch_tokens=150)
    parts = list(encoder.iter_logits(PAIRS))
    assert len(parts) > 1
    assert sorted(np.concatenate([places for places, _ in parts])) == list(range(len(PAIRS)))


def test_a_progress_bar_is_drawn_on_stderr_only_when_asked(capsys):
    ranker = PairRanker(built("bert"))
    ranker.rank_many([Task("q", ["a", "b"])])
    assert capsys.readouterr() == ("", "")
    ranker.rank_many([Task("q", ["a", "b"])], show_progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err


def test_no_pairs_no_logits():
    assert built("bert").logits([]).shape == (0,)


def test_half_precision_stays_close_and_the_head_keeps_its_bits(pairrm_float32):
    half = CrossEncoder.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf", dtype="bfloat16")
    difference = half.logits(PAIRS) - pairrm_float32.logits(PAIRS)
    assert 0 < np.sqrt((difference**2).mean()) < 0.1  # of logits around 1
    assert half.model.pretrained_model.dtype == torch.bfloat16
    kept, exact = half.model.head_layer.state_dict(), pairrm_float32.model.head_layer.state_dict()
    assert all(torch.equal(kept[name], exact[name]) for name in exact)


def test_other_limits_share_the_model_and_leave_the_first_alone():
    encoder = built("deberta-v3")
    before = encoder.logits(PAIRS)
    other = encoder.with_limits(Limits(20, 10))
    assert other.model is encoder.model
    assert not np.allclose(other.logits(PAIRS), before)
    np.testing.assert_array_equal(encoder.logits(PAIRS), before)


def test_one_encoder_serves_many_threads():
    encoder = built("deberta-v3", max_batch_tokens=200)
    expected = encoder.logits(PAIRS)

    def work(number: int) -> np.ndarray:
        encoder.with_limits(Limits(20 + number, 10))
        return encoder.logits(PAIRS[::-1] if number % 2 else PAIRS)

    with ThreadPoolExecutor(8) as pool:
        for number, logits in enumerate(pool.map(work, range(40))):
            np.testing.assert_allclose(logits[:: -1 if number % 2 else 1], expected, atol=1e-6)


@pytest.mark.parametrize(("buckets", "longest"), [(256, 512), (16, 64), (32, 512), (256, 2048)])
def test_buckets_of_distances_are_those_the_models_were_trained_with(buckets, longest):
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    ours = _Buckets(buckets, longest, torch.device("cpu"))
    for length in (1, 7, 600, 2100):
        low, high, index = ours.within(length)
        distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
        theirs = make_log_bucket_position(distance, buckets, longest).long() + buckets
        assert torch.equal(index + low, theirs.clamp(0, 2 * buckets - 1))
        assert (int(index.min()), int(index.max())) == (0, high - low - 1)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(400, 100), r"source_max_length 400 \+ 2 x candidate_max_length 100 = 600 tokens"),
        (Limits(2, 100), "source_max_length is 2, but marker and frame alone take 3"),
        (Limits(200, 2), "candidate_max_length is 2"),
    ],
)
def test_limits_that_cannot_work_are_refused(limits, message):
    with pytest.raises(InputError, match=message):
        built("bert").with_limits(limits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda:7"}, "device 'cuda:7' cannot be used here"),
        ({"device": "gpu"}, "device 'gpu' cannot be used here"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
        ({"dtype": "float"}, None),
        ({"dtype": "bf16"}, "unknown dtype 'bf16'; use float32, bfloat16 or float16"),
        ({"max_batch_tokens": 0}, "'max_batch_tokens' must be a whole number of at least 1, got 0"),
        ({"source_max_length": 0}, "'source_max_length' must be a whole number of at least 1"),
        ({"source_max_length": "12"}, "'source_max_length' must be a whole number .* got '12'"),
    ],
)
def test_loading_options_are_checked(options, message):
    def load():
        return PairRanker.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf", **options)

    if message is None:
        load()
    else:
        with pytest.raises(InputError, match=message):
            load()


def test_nan_from_a_broken_checkpoint_is_an_error_not_a_ranking(tmp_path):
    encoder = built("bert")
    with torch.no_grad():
        encoder.model.head_layer[4].bias.fill_(float("nan"))
    encoder.save_pretrained(tmp_path)
    with pytest.raises(ModelOutputError, match=r"NaN or infinity on 2 pairs .* 'why\?'"):
        PairRanker.from_pretrained(tmp_path).rank("why?", ["a", "b"])


AWKWARD = [
    "",
    "   \n\t",
    "\x00 nul \x1b[31m control \x7f",
    "lone \ud83d surrogate \udc00",
    "<|source|><|candidate1|><|candidate2|><|candidate|>[CLS][SEP][PAD][MASK][UNK]</s><extra_id_0>",
    "مرحبا بالعالم \u202eright to left",
    "你好，世界。ﬁ ＡＢＣ",
    "\U0010ffff\ufeff\ufffe",
    "word " * 20_000,
    "x" * 100_000,
]


def test_awkward_texts_rank(pairrm_float32):
    ranking = PairRanker(pairrm_float32).rank(" ".join(AWKWARD[:8]), AWKWARD)
    assert sorted(ranking.order) == list(range(len(AWKWARD)))
    assert np.isfinite(ranking.matrix).all()


@settings(max_examples=40)
@given(st.text(st.characters(), max_size=40), st.text(max_size=20))
def test_any_text_is_three_parts_with_one_marker_each(question, answer):
    shared = PairEncoder(SHARED_TOKENIZER, Limits(30, 20))
    row = shared.encode([Pair(question, answer, question)])[0]
    special = [0, 1, 2, 2000, 2001, 2002, 2003, 2004]
    assert [row.ids.tolist().count(token) for token in special] == [0, 3, 3, 0, 1, 1, 1, 0]


SHARED_TOKENIZER = tokenizer()


def test_two_hundred_candidates():
    comparator = built("bert")
    ranking = PairRanker(comparator).rank(
        "q", [f"answer {k}" for k in range(200)], schedule="knockout"
    )
    assert ranking.passes == 398
    assert sorted(ranking.order) == list(range(200))


@given(
    lengths=st.lists(st.integers(1, 500), max_size=60),
    budget=st.integers(1, 3000),
    padding=st.floats(0, 0.5),
)
def test_batches_hold_every_row_once_within_budget_and_padding(lengths, budget, padding):
    batches = pack(lengths, budget, padding)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[place] for place in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
    assert padding_share(lengths, batches) <= padding + 1e-9


async def test_ranking_in_an_event_loop_equals_ranking_outside(pairrm_float32):
    ranker = PairRanker(pairrm_float32)
    task = Task("q", ["a", "bb", "ccc"])
    assert (await ranker.arank_many([task]))[0].scores == ranker.rank_many([task])[0].scores
