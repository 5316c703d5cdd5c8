"""PointwiseRanker and the checkpoints it loads, against transformers and by hand."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DebertaV2Config,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from blender_core.belief.calibrator import Calibrator
from blender_core.candidates import Task
from blender_core.errors import CheckpointError, InputError, ModelOutputError
from blender_core.ranking.pointwise_ranker import PointwiseRanker
from blender_core.ranking.ranker import Duel

CORPUS = [
    "The quick brown fox jumps over the lazy dog. What is the capital of France?",
    "It is Paris, the capital! Human: hello\n\nAssistant: <source>question <candidate>answer",
    "Numbers 0 1 2 3 4 5 6 7 8 9 and (brackets) [CLS] [SEP] <s> </s> <|user|> <|assistant|>",
]
ITEMS = [
    ("What is the capital of France?", "It is Paris."),
    ("What is the capital of France?", "The lazy dog jumps over the fox, that is the capital!"),
    ("Hello", ""),
    ("", "hello\n\nhello"),
    ("  spaces \n", "  around  "),
    ("What?", "The quick brown fox. " * 4),
    ("日本 🙂", "ﬁne"),
]
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    # Wide enough that scores differ far more than by rounding.
    "initializer_range": 0.4,
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Models this small are slowed down by threads, on a busy machine a thousandfold."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def encoder_tokenizer(cls="[CLS]", sep="[SEP]", pad="[PAD]", unk="[UNK]", pair_types=True):
    tokenizer = Tokenizer(models.BPE(unk_token=unk))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = [pad, cls, sep, unk]
    tokenizer.train_from_iterator(CORPUS, BpeTrainer(vocab_size=180, special_tokens=special))
    middle = f"{sep} $B:1 {sep}:1" if pair_types else f"{sep} {sep} $B {sep}"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {middle}",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (cls, sep)],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token=cls, sep_token=sep, pad_token=pad, unk_token=unk
    )
    types = ["token_type_ids"] if pair_types else []
    fast.model_input_names = ["input_ids", *types, "attention_mask"]
    return fast


def decoder_tokenizer(chat_template=None, pad="<pad>", scheme="first"):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    # As in Llama: the first word alone gets a space, if it starts the text.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    special = ["<unk>", "<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>"]
    tokenizer.train_from_iterator(
        [piece for line in CORPUS[:2] for piece in line.split(" ")],
        BpeTrainer(vocab_size=200, special_tokens=special),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token=pad,
        chat_template=chat_template,
    )


def classifier(folder, config, tokenizer, **save):
    torch.manual_seed(7)
    config.num_labels = 1
    config.vocab_size = len(tokenizer)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    for name, parameter in model.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder, **save)
    tokenizer.save_pretrained(folder)
    return model


def bert_folder(folder):
    tokenizer = encoder_tokenizer()
    config = BertConfig(**SMALL, max_position_embeddings=64, pad_token_id=tokenizer.pad_token_id)
    return classifier(folder, config, tokenizer), tokenizer


def one_by_one(model, encode):
    with torch.inference_mode():
        return np.array([model(**encode(q, a)).logits[0, 0].item() for q, a in ITEMS])


def scores(folder, items=ITEMS, **options):
    return PointwiseRanker.from_pretrained(folder, device="cpu", **options).scorer.scores(items)


BERT = BertConfig(**SMALL, max_position_embeddings=64, pad_token_id=0)
ENCODERS = {
    "bert without types": (lambda: encoder_tokenizer(pair_types=False), BERT),
    "bert": (encoder_tokenizer, BERT),
    "deberta": (
        encoder_tokenizer,
        DebertaV2Config(
            **SMALL,
            max_position_embeddings=64,
            relative_attention=True,
            position_buckets=16,
            pos_att_type=["p2c", "c2p"],
            norm_rel_ebd="layer_norm",
            share_att_key=True,
            position_biased_input=False,
            type_vocab_size=0,
            pad_token_id=0,
        ),
    ),
    "roberta": (
        lambda: encoder_tokenizer("<s>", "</s>", "<pad>", "<unk>", pair_types=False),
        RobertaConfig(**SMALL, max_position_embeddings=66, type_vocab_size=1, pad_token_id=0),
    ),
}


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("max_batch_tokens", [1, 10_000])
def test_encoders_read_question_and_answer_as_a_pair(kind, max_batch_tokens, tmp_path):
    make_tokenizer, config = ENCODERS[kind]
    tokenizer = make_tokenizer()
    model = classifier(tmp_path, config, tokenizer)
    expected = one_by_one(model, lambda q, a: tokenizer([q], [a], return_tensors="pt"))
    assert np.ptp(expected) > 0.1
    found = scores(tmp_path, max_batch_tokens=max_batch_tokens)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-5)


TRIMMING = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] | trim }}"
    "{{ eos_token }}\n{% endfor %}"
)
KEEPING = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] + "
    "' [/INST]' }}{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)


@pytest.mark.parametrize("template", [TRIMMING, KEEPING])
@pytest.mark.parametrize("pad", ["<pad>", "</s>", None])
@pytest.mark.parametrize("scheme", ["first", "always", "never"])
def test_decoders_read_the_answer_in_their_chat_template(template, pad, scheme, tmp_path):
    tokenizer = decoder_tokenizer(template, pad, scheme)
    config = LlamaConfig(**SMALL, max_position_embeddings=256, pad_token_id=tokenizer.pad_token_id)
    model = classifier(tmp_path, config, tokenizer)

    def encode(question, answer):
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        return tokenizer(
            text, add_special_tokens=False, return_tensors="pt", return_token_type_ids=False
        )

    expected = one_by_one(model, encode)
    assert np.ptp(expected) > 0.1
    assert scores(tmp_path, max_batch_tokens=10_000) == pytest.approx(expected, abs=1e-5)


def test_special_tokens_in_user_text_are_text(tmp_path):
    folders = {name: tmp_path / name for name in ("pair", "chat", "roles")}
    bert_folder(folders["pair"])
    tokenizer = decoder_tokenizer(TRIMMING)
    config = LlamaConfig(**SMALL, max_position_embeddings=256, pad_token_id=3)
    classifier(folders["chat"], config, tokenizer)
    shutil.copytree(folders["chat"], folders["roles"])
    spec = json.loads((folders["roles"] / "tokenizer.json").read_text())
    for token in spec["added_tokens"]:
        token["special"] &= token["content"] not in {"<|user|>", "<|assistant|>"}
    (folders["roles"] / "tokenizer.json").write_text(json.dumps(spec))
    for name, specials in (
        ("pair", ["[CLS]", "[SEP]", "[PAD]"]),
        ("chat", ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>"]),
        ("roles", ["<|user|>", "<|assistant|>"]),
    ):
        rows = PointwiseRanker.from_pretrained(folders[name], device="cpu").scorer._rows
        reader = AutoTokenizer.from_pretrained(folders[name])
        specials_ids = set(reader.convert_tokens_to_ids(specials))
        plain = [token in specials_ids for token in rows([("q", "a")])[0].ids]
        for special in specials:
            ids = rows([(f"q {special}", f"{special} a \U0010ffff{special}")])[0].ids
            assert sum(token in specials_ids for token in ids) == sum(plain)


def test_weights_come_from_shards_or_a_bin_as_well(tmp_path):
    model, tokenizer = bert_folder(tmp_path / "one")
    expected = scores(tmp_path / "one")
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    tokenizer.save_pretrained(tmp_path / "shards")
    assert (tmp_path / "shards" / "model.safetensors.index.json").is_file()
    assert scores(tmp_path / "shards") == pytest.approx(expected, abs=1e-6)
    (tmp_path / "one" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "one" / "pytorch_model.bin")
    assert scores(tmp_path / "one") == pytest.approx(expected, abs=1e-6)


def test_a_file_in_half_precision_is_computed_in_the_precision_asked_for(tmp_path):
    model, tokenizer = bert_folder(tmp_path)
    model.half().save_pretrained(tmp_path)
    wide = model.float()
    expected = one_by_one(wide, lambda q, a: tokenizer([q], [a], return_tensors="pt"))
    assert scores(tmp_path) == pytest.approx(expected, abs=1e-5)
    narrow = scores(tmp_path, dtype="bfloat16")
    assert narrow != pytest.approx(expected, abs=1e-5)
    assert narrow == pytest.approx(expected, abs=0.2)


LONG = " ".join(["the lazy dog jumps over the quick brown fox"] * 40)


@pytest.mark.parametrize("kind", ["pair", "chat"])
def test_a_long_question_never_pushes_the_answer_out(kind, tmp_path):
    if kind == "pair":
        bert_folder(tmp_path)
    else:
        config = LlamaConfig(**SMALL, max_position_embeddings=64, pad_token_id=3)
        classifier(tmp_path, config, decoder_tokenizer(TRIMMING))
    good, bad = scores(tmp_path, [(LONG, "It is Paris."), (LONG, "That is a lazy dog.")])
    assert abs(good - bad) > 1e-3
    ranker = PointwiseRanker.from_pretrained(tmp_path, device="cpu")
    (row,) = ranker.scorer._rows([(LONG, LONG)])
    assert len(row) <= 64
    (cut,) = ranker.scorer._rows([("What is it?", LONG)])
    assert 60 <= len(cut) <= 64
    # What is cut away has no influence, what is kept has.
    same, other = scores(tmp_path, [(LONG + " x", "It is Paris."), ("x " + LONG, "It is Paris.")])
    assert same == good
    assert other != good
    with pytest.raises(InputError, match=r"max_length is [45]\b.*nothing is left"):
        scores(tmp_path, max_length=4 if kind == "pair" else 5)


def test_a_length_beyond_the_models_positions_is_refused(tmp_path):
    bert_folder(tmp_path)
    with pytest.raises(InputError, match="max_length is 65, but the model has 64 positions"):
        scores(tmp_path, max_length=65)


def test_scores_do_not_depend_on_the_batch(tmp_path):
    bert_folder(tmp_path)
    alone = [scores(tmp_path, [item])[0] for item in ITEMS]
    assert scores(tmp_path, max_batch_tokens=200) == pytest.approx(alone, abs=1e-5)


VALUE_HEADS = {
    "ultra-rm": ("model.", "regression_head", "Human: {}\n\nAssistant: {}"),
    "starling-rm": ("transformer.", "v_head", "<s>[INST] {} </s> [/INST] {}</s>"),
}


def value_head_folder(folder, prefix, head_name):
    torch.manual_seed(11)
    tokenizer = decoder_tokenizer(scheme="always")
    config = LlamaConfig(**SMALL, vocab_size=len(tokenizer), max_position_embeddings=256)
    backbone = LlamaModel(config).eval()
    head = torch.randn(1, 16)
    weights = {f"{prefix}{name}": tensor for name, tensor in backbone.state_dict().items()}
    weights[f"{head_name}.weight"] = head
    # Left in published files by the transformers of their day.
    weights[f"{prefix}layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    config.architectures = ["LlamaRewardModel"]
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    torch.save(weights, folder / "pytorch_model.bin")
    return backbone, head, tokenizer


@pytest.mark.parametrize("format", VALUE_HEADS)
def test_value_heads_read_the_last_token_of_their_template(format, tmp_path):
    prefix, head_name, template = VALUE_HEADS[format]
    backbone, head, tokenizer = value_head_folder(tmp_path, prefix, head_name)
    expected = []
    for question, answer in ITEMS:
        ids = tokenizer(template.format(question, answer), return_tensors="pt").input_ids
        assert ids[0, 0] == 1
        with torch.inference_mode():
            hidden = backbone(ids).last_hidden_state[0, -1]
        expected.append((hidden @ head[0]).item())
    assert np.ptp(expected) > 0.1
    assert scores(tmp_path, max_batch_tokens=10_000) == pytest.approx(expected, abs=1e-5)


def llm_blender_folder(folder, ranker_type, weights, tokenizer, config):
    """A ranker's folder without tokenizer, and its base model's."""
    base = folder / "base"
    config.save_pretrained(base)
    tokenizer.save_pretrained(base)
    ranker = folder / "ranker"
    ranker.mkdir()
    torch.save(weights, ranker / "pytorch_model.bin")
    (ranker / "config.json").write_text(
        json.dumps(
            {
                "ranker_type": ranker_type,
                "model_type": "bert",
                "model_name": str(base),
                "source_maxlength": 24,
                "candidate_maxlength": 20,
                "n_tasks": 2,
            }
        )
    )
    return ranker


def base_bert(vocabulary, seed):
    torch.manual_seed(seed)
    config = BertConfig(**SMALL, vocab_size=vocabulary, max_position_embeddings=64)
    return BertModel(config).eval()


def first_vector(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([ids])).last_hidden_state[0, 0]


def test_simcls(tmp_path):
    tokenizer = encoder_tokenizer()
    published = BertConfig(**SMALL, vocab_size=len(tokenizer) + 7, max_position_embeddings=64)
    encoder = base_bert(len(tokenizer) + 2, seed=3)
    state = encoder.state_dict()
    weights = {
        f"{side}_encoder.{name}": tensor
        for side in ("source", "candidate")
        for name, tensor in state.items()
    }
    folder = llm_blender_folder(tmp_path, "dual", weights, tokenizer, published)
    # The original adds the markers behind the base tokenizer's last id.
    tokenizer.add_tokens(["<source>", "<candidate>"])
    expected = []
    for question, answer in ITEMS:
        ids = [
            tokenizer(marker + text, truncation=True, max_length=length).input_ids
            for marker, text, length in (("<source>", question, 24), ("<candidate>", answer, 20))
        ]
        vectors = [first_vector(encoder, part) for part in ids]
        expected.append(torch.cosine_similarity(*vectors, dim=0).item())
    assert np.ptp(expected) > 0.05
    assert scores(folder, max_batch_tokens=500) == pytest.approx(expected, abs=1e-5)
    # One name for the shared encoder is enough, as safetensors keeps it.
    (folder / "pytorch_model.bin").unlink()
    half = {name: tensor for name, tensor in weights.items() if name.startswith("cand")}
    save_file(half, folder / "model.safetensors")
    assert scores(folder) == pytest.approx(expected, abs=1e-5)
    name = "embeddings.LayerNorm.bias"
    save_file(half | {f"source_encoder.{name}": state[name] + 1}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"differ \\({name}\\)"):
        scores(folder)


def test_summareranker(tmp_path):
    torch.manual_seed(5)
    tokenizer = encoder_tokenizer()
    encoder = base_bert(len(tokenizer), seed=4)
    shapes = {
        "fc1": (16, 16),
        "fc2": (16, 16),
        **{f"moe.experts.{e}.{layer}": (16, 16) for e in range(4) for layer in ("fc1", "fc2")},
        **{f"towers.{task}": (1, 16) for task in range(2)},
    }
    head = {f"{name}.weight": 0.4 * torch.randn(shape) for name, shape in shapes.items()}
    head |= {f"{name}.bias": 0.4 * torch.randn(shape[0]) for name, shape in shapes.items()}
    for task in range(2):
        head[f"moe.w_gate.{task}"] = torch.randn(16, 4)
        head[f"moe.w_noise.{task}"] = torch.randn(16, 4)
    head |= {"moe.mean": torch.tensor([0.0]), "moe.std": torch.tensor([1.0])}
    weights = {f"pretrained_model.{name}": t for name, t in encoder.state_dict().items()} | head
    folder = llm_blender_folder(tmp_path, "summareranker", weights, tokenizer, encoder.config)

    def linear(name, x):
        return head[f"{name}.weight"] @ x + head[f"{name}.bias"]

    expected = []
    longer = [*ITEMS, (LONG, LONG)]
    for question, answer in longer:
        first, second = (
            tokenizer([marker, marker + text], add_special_tokens=False).input_ids
            for marker, text in (("<source>", question), ("<candidate>", answer))
        )
        # 24 and 20 with a frame of 2 each but without markers; the row has 24 + 20 + 3 in all.
        kept = first[1][: 22 + len(first[0])]
        ids = [1, *kept, 2, *second[1][: min(18 + len(second[0]), 44 - len(kept))], 2]
        if len(question) + len(answer) < 40:
            assert ids == tokenizer(f"<source>{question}[SEP]<candidate>{answer}").input_ids
        x = linear("fc2", torch.relu(linear("fc1", first_vector(encoder, ids))))
        logits = []
        for task in range(2):
            gates = x @ head[f"moe.w_gate.{task}"]
            best = gates.argsort(descending=True)[:2]
            mixture = torch.zeros(16)
            for share, expert in zip(gates[best].softmax(0), best.tolist(), strict=True):
                inside = torch.relu(linear(f"moe.experts.{expert}.fc1", x))
                mixture += share * linear(f"moe.experts.{expert}.fc2", inside).exp()
            logits.append(linear(f"towers.{task}", mixture.log()))
        expected.append(torch.sigmoid(torch.stack(logits).mean()).item())
    assert np.ptp(expected) > 0.05
    found = scores(folder, longer, max_batch_tokens=500)
    assert found == pytest.approx(expected, abs=1e-5)


def broken(change):
    def apply(folder):
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return apply


def rewritten(**fields):
    def apply(folder):
        config = json.loads((folder / "config.json").read_text())
        config.update(fields)
        (folder / "config.json").write_text(json.dumps(config))

    return apply


def truncated(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


THREE_LABELS = {"0": "a", "1": "b", "2": "c"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (rewritten(id2label=THREE_LABELS, label2id={}), r"3 outputs \(num_labels\)"),
        (broken(lambda w: w.pop("classifier.weight")), r"missing: classifier\.weight"),
        (broken(lambda w: w.update(extra=torch.ones(1))), "not part of the model: extra"),
        (
            broken(lambda w: w.update({"classifier.weight": torch.ones(1, 9)})),
            r"of another shape: classifier\.weight",
        ),
        (truncated, "broken or truncated safetensors"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (lambda folder: (folder / "config.json").unlink(), r"config\.json: file is missing"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), r"tokenizer\.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer; expected"),
        (rewritten(hidden_size="wide"), "the config is unusable"),
        (rewritten(num_attention_heads=3), "config is unusable.*multiple"),
        (rewritten(model_type="no-such-model"), "none of the text models"),
        (rewritten(architectures=["BertModel"]), r"no known pointwise format.*format="),
        (rewritten(ranker_type="pairranker"), r"PairRanker\.from_pretrained"),
        (
            lambda folder: (folder / "chat_template.jinja").write_text(
                "{{ raise_exception('only system turns') }}"
            ),
            "chat template fails.*only system turns",
        ),
        (
            lambda folder: (folder / "chat_template.jinja").write_text(
                "{{ messages[0]['content'] }}"
            ),
            "does not show each turn exactly once",
        ),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_named(damage, message, tmp_path):
    bert_folder(tmp_path)
    damage(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        scores(tmp_path)


def test_weights_that_are_no_numbers_are_named_when_scoring(tmp_path):
    bert_folder(tmp_path)
    broken(lambda w: w.update({"classifier.bias": torch.tensor([float("nan")])}))(tmp_path)
    ranker = PointwiseRanker.from_pretrained(tmp_path, device="cpu")
    with pytest.raises(ModelOutputError, match=r"NaN or infinity for 2 of 2.*'What\?'"):
        ranker.rank("What?", ["a", "b"])


def test_a_format_can_be_named(tmp_path):
    bert_folder(tmp_path)
    expected = scores(tmp_path)
    rewritten(architectures=["Mystery"])(tmp_path)
    assert scores(tmp_path, format="classification").tolist() == expected.tolist()
    with pytest.raises(InputError, match="unknown format 'bradley'; known: classification"):
        scores(tmp_path, format="bradley")
    with pytest.raises(CheckpointError, match="'source_maxlength' is missing"):
        scores(tmp_path, format="summareranker")
    blender = {"ranker_type": "summareranker", "source_maxlength": 9, "candidate_maxlength": 9}
    rewritten(**blender)(tmp_path)
    with pytest.raises(CheckpointError, match="names no base model"):
        scores(tmp_path)
    with pytest.raises(InputError, match="'max_batch_tokens' must be a whole number of at least 1"):
        scores(tmp_path, max_batch_tokens=0)


class Lengths:
    def __init__(self, change=lambda scores: scores):
        self.calls = []
        self.change = change

    def scores(self, items):
        self.calls.append(list(items))
        return self.change(np.array([len(answer) for _, answer in items], dtype=np.float32))


def test_all_answers_of_all_tasks_are_one_call_and_twins_are_scored_once():
    scorer = Lengths()
    tasks = [Task("q", ["bb", "a", "bb"]), Task("r", ["bb"]), Task("q", ["a"], input="")]
    first, second, third = PointwiseRanker(scorer).rank_many(tasks)
    assert scorer.calls == [[("q", "bb"), ("q", "a"), ("r", "bb")]]
    assert first.scores == (2.0, 1.0, 2.0)
    assert first.ranks == (1, 3, 1)
    assert first.order == (0, 2, 1)
    assert first.passes == 2
    assert first.matrix.tolist() == [[0, 1, 0], [-1, 0, -1], [0, 1, 0]]
    assert (second.passes, third.passes) == (1, 1)
    assert PointwiseRanker(scorer).rank_many([]) == []


def test_scores_decide_comparisons_and_duels():
    ranker = PointwiseRanker(Lengths())
    assert ranker.compare("q", "aaa", "b") == 2.0
    task = Task("q", ["aa", "b"])
    duel = Duel(task, Task("q", ["cccc"]).candidates[0], task.candidates[0])
    assert ranker.duel_many([duel]) == [(2.0, -2.0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scores: scores * np.nan, "NaN or infinity for 2 of 2 answers"),
        (lambda scores: scores[:1], r"asked 2 answers and gave shape \(1,\)"),
    ],
)
def test_what_a_scorer_gets_wrong_is_named(change, message):
    with pytest.raises(ModelOutputError, match=message):
        PointwiseRanker(Lengths(change)).rank("q", ["a", "b"])


def test_what_is_no_scorer_is_refused():
    with pytest.raises(InputError, match=r"str has not.*from_pretrained"):
        PointwiseRanker("OpenAssistant/reward-model-deberta-v3-large-v2")


def test_progress_goes_to_stderr(tmp_path, capsys):
    bert_folder(tmp_path)
    ranker = PointwiseRanker.from_pretrained(tmp_path, device="cpu")
    capsys.readouterr()
    shown = ranker.rank_many([Task("q", ["a", "b"])], show_progress=True)
    written = capsys.readouterr()
    assert "/2 " in written.err
    assert written.out == ""
    quiet = ranker.rank_many([Task("q", ["a", "b"])])
    assert capsys.readouterr().err == ""
    assert shown[0].scores == quiet[0].scores


def test_a_reward_model_is_loaded_with_its_calibration(tmp_path):
    bert_folder(tmp_path)
    assert PointwiseRanker.from_pretrained(tmp_path, device="cpu").calibrator is None
    Calibrator(2.0).save(tmp_path)
    ranking = PointwiseRanker.from_pretrained(tmp_path, device="cpu").rank("q", ["a", "b"])
    assert ranking.is_calibrated
    assert 0.0 < ranking.probability(0, 1) < 1.0


def test_tqdm_s_own_switch_turns_bars_off(tmp_path, capsys, monkeypatch):
    bert_folder(tmp_path)
    ranker = PointwiseRanker.from_pretrained(tmp_path, device="cpu")
    capsys.readouterr()
    for switch, is_drawn in (("1", False), ("0", True)):
        monkeypatch.setenv("TQDM_DISABLE", switch)
        ranker.rank_many([Task("q", ["a", "b"])], show_progress=True)
        assert ("/2 " in capsys.readouterr().err) is is_drawn
