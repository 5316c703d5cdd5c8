"""Errors of checkpoints name their cause, whatever the format of the file."""

import json
import shutil

import pytest
from golden_data import CHECKPOINTS

from blender_core import GenFuser, PairRanker, PointwiseRanker
from blender_core.causal.gguf_header import read_header
from blender_core.errors import CheckpointError, InputError
from blender_core.models.vocabulary import vocabulary_in

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 1234567\n"
LOADERS = {
    "tiny-PairRM-hf": PairRanker.from_pretrained,
    "tiny-gen-fuser": GenFuser.from_pretrained,
}


def copied(name, folder):
    return shutil.copytree(CHECKPOINTS / name, folder / name)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("name", LOADERS)
def test_a_pointer_of_git_lfs_is_called_one(name, file, tmp_path):
    folder = copied(name, tmp_path)
    (folder / file).write_text(POINTER.format("0" * 64))
    with pytest.raises(CheckpointError, match=rf"{file}: a pointer of Git LFS.*'git lfs pull'"):
        LOADERS[name](folder)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "pytorch_model-00001-of-00001.bin"])
def test_so_is_one_in_place_of_a_pickle_or_a_shard(file, tmp_path):
    folder = copied("tiny-PairRM-hf", tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / file).write_text(POINTER.format("0" * 64))
    if "-of-" in file:
        told = {"metadata": {}, "weight_map": {"x": file}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match=f"{file}: a pointer of Git LFS"):
        PairRanker.from_pretrained(folder)


@pytest.mark.parametrize("file", ["spm.model", "vocab.txt", "tokenizer.model"])
def test_so_is_one_in_place_of_a_vocabulary(file, tmp_path):
    (tmp_path / file).write_text(POINTER.format("0" * 64))
    with pytest.raises(CheckpointError, match=f"{file}: a pointer of Git LFS"):
        vocabulary_in(tmp_path)


def test_so_is_one_in_place_of_a_gguf_file(tmp_path):
    (tmp_path / "model.gguf").write_text(POINTER.format("0" * 64))
    with pytest.raises(CheckpointError, match=r"model\.gguf: a pointer of Git LFS"):
        read_header(tmp_path / "model.gguf", {})


@pytest.mark.parametrize("with_config", [False, True])
@pytest.mark.parametrize(
    "load",
    [PairRanker.from_pretrained, PointwiseRanker.from_pretrained, GenFuser.from_pretrained],
)
def test_a_folder_of_an_adapter_alone_is_called_one(load, with_config, tmp_path):
    told = {"peft_type": "LORA", "base_model_name_or_path": "owner/base"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(told))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    if with_config:
        source = "tiny-gen-fuser" if load == GenFuser.from_pretrained else "tiny-PairRM-hf"
        shutil.copy(CHECKPOINTS / source / "config.json", tmp_path)
        shutil.copy(CHECKPOINTS / source / "tokenizer.json", tmp_path)
    with pytest.raises(CheckpointError, match=r"holds an adapter \(LoRA\) alone.*'owner/base'"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("cuda:99", "device 'cuda:99' cannot be used here"),
        ("gpu", "device 'gpu' cannot be used here"),
        ("auto", "device 'auto' cannot be used here"),
        ([], r"device '\[\]' cannot be used here"),
        ("meta", "device 'meta' computes nothing"),
    ],
)
@pytest.mark.parametrize("name", LOADERS)
def test_a_device_that_is_not_there_is_named(name, device, reason):
    with pytest.raises(InputError, match=reason):
        LOADERS[name](CHECKPOINTS / name, device=device)
