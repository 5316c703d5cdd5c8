"""Every layout in the wild loads to the same numbers; every broken one is one clear error."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from golden_data import CHECKPOINTS
from safetensors.torch import load_file, save_file

from blender_core import Pair, PairRanker
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.errors import BlenderError, CheckpointError
from blender_core.models.files import resolve
from blender_core.models.sentencepiece_model import tokenizer_from_sentencepiece

BASE = CHECKPOINTS / "tiny-deberta-v3-base"
PAIRS = [Pair("What is the capital of France?", "Paris", "London ，ﬁ ＡＢＣ"), Pair("", "b", "a")]


@pytest.fixture
def hf(tmp_path):
    return shutil.copytree(CHECKPOINTS / "tiny-PairRM-hf", tmp_path / "PairRM-hf")


@pytest.fixture
def original(tmp_path):
    return shutil.copytree(CHECKPOINTS / "tiny-PairRM", tmp_path / "PairRM")


def edited(folder, **changes):
    file = folder / "config.json"
    config = json.loads(file.read_text())
    for name, value in changes.items():
        if value is None:
            config.pop(name)
        else:
            config[name] = value
    file.write_text(json.dumps(config))
    return folder


def as_bin(folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def as_shards(folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    shards = {"a.safetensors": names[:20], "b.safetensors": names[20:]}
    for file, part in shards.items():
        save_file({name: weights[name] for name in part}, folder / file)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def without_tokenizer(folder):
    (folder / "tokenizer.json").unlink()
    return folder


@pytest.mark.parametrize("change", [lambda folder: folder, as_bin, as_shards, without_tokenizer])
def test_the_original_layout(original, change, pairrm_hf):
    encoder = CrossEncoder.from_pretrained(change(original), base_model=BASE, dtype="float64")
    np.testing.assert_allclose(encoder.logits(PAIRS), pairrm_hf.logits(PAIRS), atol=1e-6)


def test_the_original_layout_of_the_paper_has_its_own_lengths(original):
    edited(original, source_maxlength=128, candidate_maxlength=128)
    encoder = CrossEncoder.from_pretrained(original, base_model=BASE)
    assert (encoder.pairs.limits.source, encoder.pairs.limits.candidate) == (128, 128)


def test_the_base_is_found_by_the_name_the_checkpoint_gives(original, pairrm_hf):
    edited(original, model_name=str(BASE))
    encoder = CrossEncoder.from_pretrained(original, dtype="float64")
    np.testing.assert_allclose(encoder.logits(PAIRS), pairrm_hf.logits(PAIRS), atol=1e-6)


def test_the_shape_of_deberta_v3_large_is_known_without_its_files(original):
    """The tiny weights do not fit it, which proves that it was taken and checked."""
    with pytest.raises(CheckpointError, match=r"of another shape: .*embeddings"):
        CrossEncoder.from_pretrained(original)


@pytest.mark.parametrize("change", [as_bin, as_shards])
def test_the_hf_layout(hf, change, pairrm_hf):
    encoder = CrossEncoder.from_pretrained(change(hf), dtype="float64")
    np.testing.assert_allclose(encoder.logits(PAIRS), pairrm_hf.logits(PAIRS), atol=1e-6)


def test_half_precision_files_are_read_into_full_precision_once(hf, pairrm_hf):
    weights = load_file(hf / "model.safetensors")
    rounded = {name: weight.half() for name, weight in weights.items()}
    save_file(rounded, hf / "model.safetensors")
    encoder = CrossEncoder.from_pretrained(hf, dtype="float32")
    loaded = encoder.model.state_dict()
    assert {w.dtype for w in loaded.values()} == {torch.float32}
    assert all(torch.equal(loaded[name], rounded[name].float()) for name in rounded)
    assert np.abs(encoder.logits(PAIRS) - pairrm_hf.logits(PAIRS)).max() < 0.1


def test_our_own_layout_keeps_everything(tmp_path, pairrm, pairrm_hf):
    pairrm.save_pretrained(tmp_path / "own")
    again = CrossEncoder.from_pretrained(tmp_path / "own", dtype="float64")
    assert sorted(file.name for file in (tmp_path / "own").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert again.pairs.markers == pairrm.pairs.markers
    np.testing.assert_allclose(again.logits(PAIRS), pairrm_hf.logits(PAIRS), atol=1e-6)


def test_spm_model_and_tokenizer_json_give_the_same_ids(pairrm):
    from_spm = tokenizer_from_sentencepiece(BASE / "spm.model")
    for text in (
        "hello  world",
        "，ﬁ ＡＢＣ ½ Ⅳ",
        "\u3000a\xa0b\u200b",
        "[SEP] [MASK]",
        "",
        "\x00",
    ):
        expected = pairrm.pairs.tokenizer.full.encode(text).ids
        assert from_spm.encode(text).ids == expected


def drop_a_weight(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["head_layer.4.bias"]
    save_file(weights, folder / "model.safetensors")


def add_a_weight(folder):
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "head_layer.9.bias": torch.zeros(1)}, folder / "model.safetensors")


def truncate(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def write(name, content):
    def change(folder):
        (folder / name).write_bytes(content)

    return change


def remove(name):
    return lambda folder: (folder / name).unlink()


class Attack:
    def __reduce__(self):
        return (print, ("pwned",))


def evil_pickle(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Attack(), protocol=2))


def shard_outside(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "../../etc/passwd"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def with_index(folder, weight_map):
    (folder / "model.safetensors").unlink()
    index = json.dumps({"weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)


def to_original(folder, **changes):
    shutil.copy(CHECKPOINTS / "tiny-PairRM" / "config.json", folder / "config.json")
    edited(folder, model_name=str(BASE))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def with_tokenizer(change):
    def rewrite(folder):
        file = folder / "tokenizer.json"
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    return rewrite


BROKEN = {
    "a token beyond all": (  # the library would fill gigabytes with the ids before it
        with_tokenizer(lambda content: content["added_tokens"][0].update(id=2**31)),
        r"tokenizer\.json: 'added_tokens\[0\]\.id' must be less than 16777216, got 2147483648",
    ),
    "a template of nothing": (
        with_tokenizer(lambda content: content["post_processor"].update(special_tokens={})),
        "a template has a token that is not in 'special_tokens'",
    ),
    "a missing weight": (drop_a_weight, r"1 missing: head_layer\.4\.bias"),
    "an extra weight": (add_a_weight, r"1 not part of the model: head_layer\.9\.bias"),
    "a truncated file": (truncate, r"model\.safetensors: broken or truncated"),
    "no weights": (remove("model.safetensors"), "no weights; expected model.safetensors"),
    "a pickle with code": (evil_pickle, r"pytorch_model\.bin: not a file of plain weights"),
    "a shard elsewhere": (shard_outside, r"passwd: "),
    "no config": (remove("config.json"), r"config\.json: file is missing"),
    "a config that is no JSON": (write("config.json", b"{"), "not readable as JSON"),
    "a config that is a list": (write("config.json", b"[]"), "expected a JSON object, got a list"),
    "another model's config": (write("config.json", b'{"model_type": "bert"}'), "PointwiseRanker"),
    "no tokenizer": (remove("tokenizer.json"), r"tokenizer\.json"),
    "a broken tokenizer": (write("tokenizer.json", b"{}"), "not a readable tokenizer.json"),
    "markers not in the vocabulary": (
        lambda folder: edited(folder, cand2_prefix_id=9999),
        "no token of cand2_prefix_id 9999",
    ),
    "a marker id missing": (lambda folder: edited(folder, source_prefix_id=None), "source_prefix"),
    "an unknown architecture": (
        lambda folder: edited(folder, model_type="deberta-v9"),
        "'deberta-v9', none of the text models that are read",
    ),
    "lengths that are none": (
        lambda folder: to_original(folder, source_maxlength=None),
        "'source_maxlength' must be a whole number, not null",
    ),
    "a length in words": (
        lambda folder: to_original(folder, candidate_maxlength="128"),
        "'candidate_maxlength' must be a whole number, not a text",
    ),
    "no tasks": (
        lambda folder: edited(folder, n_tasks=-1),
        "'n_tasks' must be greater than or equal to 1, got -1",
    ),
    "a negative marker": (
        lambda folder: edited(folder, cand1_prefix_id=-1),
        "'cand1_prefix_id' must be",
    ),
    "one marker for all": (
        lambda folder: edited(folder, cand1_prefix_id=2003),
        "markers must be four different tokens",
    ),
    "a list of shards": (
        lambda folder: with_index(folder, ["a"]),
        "'weight_map' must be an object, not a list",
    ),
    "shards of numbers": (
        lambda folder: with_index(folder, {"a": 1}),
        r"'weight_map\.a' must be a text, not a number",
    ),
    "another shape": (
        lambda folder: edited(folder, hidden_size=128),
        r"of another shape: head_layer\.1\.bias",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_checkpoint_is_one_clear_error(fault, hf, capsys):
    change, message = BROKEN[fault]
    change(hf)
    with pytest.raises(CheckpointError, match=message) as error:
        PairRanker.from_pretrained(hf)
    assert "PairRM-hf" in str(error.value) or "passwd" in str(error.value)
    assert "pwned" not in capsys.readouterr().out


def test_a_broken_tokenizer_says_nothing_on_stderr(hf, capfd):
    BROKEN["a template of nothing"][0](hf)
    with pytest.raises(CheckpointError):
        PairRanker.from_pretrained(hf)
    assert "panicked" not in capfd.readouterr().err


def test_a_pointwise_checkpoint_of_the_original_says_where_it_belongs(original):
    edited(original, ranker_type="summareranker")
    with pytest.raises(
        CheckpointError, match=r"'summareranker' .* PointwiseRanker\.from_pretrained"
    ):
        PairRanker.from_pretrained(original, base_model=BASE)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such/folder", "no such folder, and no hub id"),
        ("./nowhere", "no such folder"),
        ("", "the name of the model is empty: give a folder or a hub id"),
    ],
)
def test_what_is_no_checkpoint_is_said_so(name, message):
    with pytest.raises(BlenderError, match=message):
        PairRanker.from_pretrained(name)


def test_a_file_is_no_checkpoint():
    with pytest.raises(CheckpointError, match=r"a checkpoint is a folder, this is a file"):
        resolve(BASE / "config.json")


def test_a_hub_id_that_is_not_cached_says_how_to_work_without_a_network(tmp_path):
    with pytest.raises(CheckpointError, match=r"llm-blender/PairRM: .*without a network"):
        resolve("llm-blender/PairRM", cache_folder=tmp_path, local_files_only=True)


@pytest.mark.parametrize(
    "key", ["attn_implementation", "_attn_implementation", "auto_map", "quantization_config"]
)
def test_a_config_cannot_choose_code_to_run(key, hf, pairrm_hf):
    edited(hf, **{key: {"AutoModel": "own.Model"} if key == "auto_map" else "evil-org/evil-kernel"})
    (hf / "own.py").write_text("raise SystemExit('code was run')")
    encoder = CrossEncoder.from_pretrained(hf, dtype="float64")
    np.testing.assert_allclose(encoder.logits(PAIRS), pairrm_hf.logits(PAIRS), atol=1e-6)
