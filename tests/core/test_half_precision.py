"""What holds of scores and logits in bfloat16 and float16."""

import random

import numpy as np
import pytest
import torch
from golden_data import CHECKPOINTS
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from blender_core import PairRanker, PointwiseRanker
from blender_core.candidates import Pair
from blender_core.comparison.loading import SHIPPED, load_comparator

WORDS = ["alpha", "beta", "gamma", "delta", "one", "two", "three", "four", "five", "six"]
SIZES = {
    "vocab_size": 12,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_labels": 1,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
CLASSIFIERS = {
    "bert": lambda: BertForSequenceClassification(BertConfig(**SIZES)),
    "roberta": lambda: RobertaForSequenceClassification(RobertaConfig(**SIZES)),
    "llama": lambda: LlamaForSequenceClassification(LlamaConfig(**SIZES)),
}


def texts(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(5, 12))) for _ in range(count)]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_rewards_do_not_tie_by_rounding(kind, dtype, tmp_path):
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    model = CLASSIFIERS[kind]()
    for name, weight in model.named_parameters():
        if name.endswith(("classifier.bias", "out_proj.bias")):
            weight.data.fill_(4.0)  # rewards around 4, as reward models have
    model.save_pretrained(tmp_path)
    PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(tmp_path)
    answers = list(dict.fromkeys(texts(200)))
    full, half = (
        PointwiseRanker.from_pretrained(tmp_path, dtype=one).rank("alpha", answers)
        for one in ("float32", dtype)
    )
    assert len(set(half.scores)) >= 0.95 * len(set(full.scores))
    spread = max(full.scores) - min(full.scores)
    assert half.scores == pytest.approx(full.scores, abs=0.1 * spread)


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.15), ("float16", 0.03)])
@pytest.mark.parametrize("model", ["mini", "a cross-encoder"])
def test_what_the_batch_may_change_is_rounding(model, dtype, most):
    folder = SHIPPED if model == "mini" else CHECKPOINTS / "tiny-PairRM-hf"
    half, full = (load_comparator(folder, dtype=one) for one in (dtype, "float32"))
    pairs = [Pair("q", *two) for two in zip(texts(40, 1), texts(40, 2), strict=True)]
    together = half.logits(pairs)
    alone = np.concatenate([half.logits([pair]) for pair in pairs])
    np.testing.assert_allclose(together, alone, atol=most, rtol=0)
    np.testing.assert_allclose(together, full.logits(pairs), atol=2 * most, rtol=0)
    np.testing.assert_array_equal(half.logits([pairs[0]] * 3), half.logits([pairs[0]] * 3))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_equal_texts_tie_in_half_precision_too(dtype):
    ranker = PairRanker(load_comparator(CHECKPOINTS / "tiny-PairRM-hf", dtype=dtype))
    ranking = ranker.rank("q", ["the same answer", "another one", "the same answer"])
    assert ranking.ranks[0] == ranking.ranks[2]
