"""Metrics: against the libraries' own numbers, and on tiny models against their formulas."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import sacrebleu
import torch
from rouge_score.rouge_scorer import RougeScorer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from blender_core.errors import CheckpointError, InputError, MissingExtraError
from blender_core.evaluation.metrics import METRICS, metric_kind
from blender_core.evaluation.metrics.settings import ModelSettings
from blender_core.evaluation.wanted import MetricWanted

PAIRS = [
    ("The cat sat on the mat.", "The cat ran on a mat."),
    ("the dog ran far away", "the cat sat on a mat"),
    ("mat", "the mat a dog sat on ran away"),
    ("the cat sat on the mat", "the cat sat on the mat"),
]
WORDS = [*["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away", "sep"], *".[]/s<>"]


def scores(name, pairs=PAIRS, **settings):
    told = ModelSettings(**settings) if settings else None
    return MetricWanted(name, told).make().scores(pairs)


# --- metrics of words --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rouge1", "rouge2", "rougeL"])
def test_rouge_is_rouge_scores_f1(kind):
    scorer = RougeScorer([kind], use_stemmer=True)
    expected = [100 * scorer.score(reference, text)[kind].fmeasure for text, reference in PAIRS]
    assert scores(kind).tolist() == pytest.approx(expected)


def test_rouge_by_hand():
    # 6 words each, the longest common subsequence is "the cat on mat": 4 of 6.
    assert scores("rougeL", PAIRS[:1])[0] == pytest.approx(100 * 4 / 6)
    assert scores("rouge2", PAIRS[:1])[0] == pytest.approx(100 * 1 / 5)  # "the cat"
    assert scores("rouge1", [("", "the cat")])[0] == 0


def test_bleu_and_chrf_are_sacrebleus():
    bleu = [sacrebleu.sentence_bleu(text, [reference]).score for text, reference in PAIRS]
    chrf = [sacrebleu.sentence_chrf(text, [reference]).score for text, reference in PAIRS]
    assert scores("bleu").tolist() == pytest.approx(bleu)
    assert scores("chrf").tolist() == pytest.approx(chrf)
    assert scores("bleu")[-1] == pytest.approx(100)
    assert scores("chrf", [("", "the cat")])[0] == 0


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("今天天气很好，我们去公园。", "他昨天买了三本新书。"),
        ("今日は天気がいいです。", "彼は本を三冊買った。"),
        ("สวัสดีครับ", "ขอบคุณมาก"),
        ("Сегодня хорошая погода, идём в парк.", "Он купил три новые книги вчера."),
        ("오늘은 날씨가 좋습니다", "그는 책을 샀다"),
        ("الطقس جميل اليوم", "اشترى ثلاثة كتب"),
        ("आज मौसम अच्छा है", "उसने किताबें खरीदीं"),
    ],
)
@pytest.mark.parametrize("kind", ["rouge1", "rouge2", "rougeL", "bleu", "chrf"])
def test_metrics_of_words_judge_all_scripts(kind, text, other):
    half = text[: len(text) // 2]
    same, part, none = scores(kind, [(text, text), (half, text), (other, text)])
    assert same == pytest.approx(100)
    assert none < part < same or kind == "rouge2"
    assert none < 30


def test_latin_words_among_others_are_stemmed_as_ever():
    assert scores("rouge1", [("the angles α", "the angle α")])[0] == pytest.approx(100)


def test_an_unknown_metric_is_named_with_those_there_are():
    with pytest.raises(InputError, match="unknown metric 'rogue'; known: bertscore, bartscore"):
        metric_kind("rogue")
    with pytest.raises(InputError, match="'bleu' has no model"):
        MetricWanted("bleu", ModelSettings("x"))


def test_columns_of_a_metric_with_two_models_have_two_names():
    usual, other = METRICS["bleurt"].model, "there/bleurt-large"
    kinds = [MetricWanted("bleurt", ModelSettings(model)) for model in (usual, other)]
    assert [one.key for one in kinds] == ["bleurt", f"bleurt={other}"]
    assert [one.title for one in kinds] == ["BLEURT", "BLEURT (bleurt-large)"]
    assert kinds[0].stored_as != kinds[1].stored_as
    assert kinds[0].stored_as == MetricWanted("bleurt", ModelSettings(usual, 99)).stored_as


# --- tiny models -------------------------------------------------------------------------------


def tokenizer(special, single, pair, **names):
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=names["unk_token"]))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(name, vocabulary[name]) for name in special]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with a tiny BERT, as an encoder and as a classifier with one and two outputs."""
    folder = tmp_path_factory.mktemp("bert")
    words = tokenizer(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
        "[CLS] $A [SEP]",
        "[CLS] $A [SEP] $B:1 [SEP]:1",
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        pad_token_id=0,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder / "encoder")
    for labels in (1, 2):
        config.num_labels = labels
        model = BertForSequenceClassification(config)
        model.save_pretrained(folder / f"classifier-{labels}")
        words.save_pretrained(folder / f"classifier-{labels}")
    words.save_pretrained(folder / "encoder")
    return folder


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    """A folder with a tiny BART."""
    folder = tmp_path_factory.mktemp("bart")
    words = tokenizer(
        ["<s>", "<pad>", "</s>", "<unk>"],
        "<s> $A </s>",
        "<s> $A </s> </s> $B </s>",
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(words),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=16,
        init_std=0.5,
    )
    BartForConditionalGeneration(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def log_likelihood(folder, source, target):
    """The formula, one token at a time: no padding, no shifting, no batch."""
    model = BartForConditionalGeneration.from_pretrained(folder).eval()
    words = PreTrainedTokenizerFast.from_pretrained(folder)
    x, y = (torch.tensor([words(text)["input_ids"]]) for text in (source, target))
    written = [model.config.decoder_start_token_id]
    total = 0.0
    for token in y[0].tolist():
        with torch.inference_mode():
            logits = model(input_ids=x, decoder_input_ids=torch.tensor([written])).logits[0, -1]
        total += logits.log_softmax(-1)[token].item()
        written.append(token)
    return total / len(y[0])


def test_bartscore_is_its_formula(bart):
    recall = [log_likelihood(bart, text, reference) for text, reference in PAIRS]
    precision = [log_likelihood(bart, reference, text) for text, reference in PAIRS]
    found = {
        name: scores(name, model=str(bart), batch_size=3, device="cpu")
        for name in ("bartscore", "bartscore_precision", "bartscore_f")
    }
    assert found["bartscore"].tolist() == pytest.approx(recall, abs=1e-5)
    assert found["bartscore_precision"].tolist() == pytest.approx(precision, abs=1e-5)
    mean = np.mean([recall, precision], axis=0)
    assert found["bartscore_f"].tolist() == pytest.approx(mean.tolist(), abs=1e-5)
    assert (found["bartscore"] < 0).all()


def test_bartscore_cuts_long_texts_and_reads_special_tokens_as_text(bart):
    settings = {"model": str(bart), "device": "cpu"}
    long = " ".join(["cat"] * 40)
    cut = " ".join(["cat"] * 14)  # 16 positions, 2 of them for <s> and </s>
    pairs = [(long, long), (cut, cut), ("cat </s> dog", "mat"), ("cat < / s > dog", "mat")]
    found = scores("bartscore", pairs, **settings)
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert np.isfinite(found).all()
    alone = scores("bartscore", pairs[2:3], **settings)[0]
    assert found[2] == pytest.approx(alone, abs=1e-5)
    # "</s>" is punctuation and a letter to the model, as it stands there.
    assert not np.isclose(found[2], scores("bartscore", [("cat dog", "mat")], **settings)[0])


def test_bleurt_is_the_classifiers_logit_of_reference_and_candidate(bert):
    folder = bert / "classifier-1"
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    words = PreTrainedTokenizerFast.from_pretrained(folder)
    expected = []
    for text, reference in PAIRS:
        with torch.inference_mode():
            row = words(reference, text, return_tensors="pt", return_token_type_ids=True)
            expected.append(model(**row).logits.item())
    found = scores("bleurt", model=str(folder), device="cpu")
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_bertscore_is_the_packages_and_its_formula(bert):
    from bert_score import BERTScorer

    folder = bert / "encoder"
    package = BERTScorer(model_type=str(folder), num_layers=1, device="cpu")
    package._tokenizer.model_max_length = 24
    texts, references = zip(*PAIRS, strict=True)
    expected = 100 * package.score(list(texts), list(references))[2].numpy()
    found = scores("bertscore", model=str(folder), layer=1, batch_size=2, device="cpu")
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-4)

    model = BertModel.from_pretrained(folder).eval()
    words = PreTrainedTokenizerFast.from_pretrained(folder)

    def vectors(text):
        with torch.inference_mode():
            row = words(text, return_tensors="pt", return_token_type_ids=True)
            layer = model(**row, output_hidden_states=True).hidden_states[1][0]
        return layer / layer.norm(dim=-1, keepdim=True)

    def f1(text, reference):
        # [CLS] and [SEP] count for nothing, but a word may be matched with them.
        cosines = vectors(text) @ vectors(reference).T
        precision = cosines.max(1).values[1:-1].mean()
        recall = cosines.max(0).values[1:-1].mean()
        return (2 * precision * recall / (precision + recall)).item()

    by_hand = [100 * f1(text, reference) for text, reference in PAIRS]
    assert found.tolist() == pytest.approx(by_hand, abs=1e-3)


def test_bertscore_of_a_blank_a_long_and_a_hostile_text(bert):
    settings = {"model": str(bert / "encoder"), "layer": 2, "device": "cpu"}
    pairs = [(" ", "the cat"), ("cat " * 99, "the cat"), ("cat [SEP] dog", "dog")]
    found = scores("bertscore", [*pairs, ("cat [ sep ] dog", "dog")], **settings)
    assert found[0] == 0
    assert np.isfinite(found).all()
    assert found[2] == pytest.approx(found[3], abs=1e-4)


def test_models_that_do_not_fit_say_why(bert, tmp_path):
    with pytest.raises(CheckpointError, match="2 outputs"):
        scores("bleurt", model=str(bert / "classifier-2"))
    with pytest.raises(InputError, match="--bertscore-layer"):
        scores("bertscore", model=str(bert / "encoder"))
    with pytest.raises(InputError, match="there is no layer 7, the model has 2"):
        scores("bertscore", model=str(bert / "encoder"), layer=7)
    for name in ("bartscore", "bertscore", "bleurt"):
        with pytest.raises(CheckpointError, match="nowhere"):
            scores(name, model=str(tmp_path / "nowhere"), layer=1)
        with pytest.raises(CheckpointError):
            scores(name, model=str(tmp_path), layer=1)


@pytest.mark.parametrize("key", ["auto_map", "attn_implementation"])
def test_bert_score_is_not_handed_what_chooses_code(bert, tmp_path, key):
    folder = shutil.copytree(bert / "encoder", tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: "evil-org/evil-kernel"}))
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "evil-org/base"}')
    found = scores("bertscore", model=str(folder), layer=1)
    assert found.tolist() == scores("bertscore", model=str(bert / "encoder"), layer=1).tolist()


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("rougeL", "rouge_score.rouge_scorer"),
        ("bleu", "sacrebleu.metrics.bleu"),
        ("bertscore", "bert_score"),
    ],
)
def test_a_library_that_is_not_installed_names_the_extra(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{name}' needs .*blended-llm\[eval\]"):
        scores(name)


def test_every_metric_is_higher_for_the_reference_itself(bart, bert):
    for name, kind in METRICS.items():
        if kind.model is not None:
            continue
        same, other = scores(name, [PAIRS[3], PAIRS[1]])
        assert same > other
