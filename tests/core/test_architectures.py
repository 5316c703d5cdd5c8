"""What a config may ask for: a text model of known keys, as large as its weights, and nothing else.

The architectures that are not read are imported by nobody: importing a class is the first step to
what it runs or fetches.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_data import CHECKPOINTS
from safetensors.torch import load_file, save_file

from blender_core import GenFuser, Pair, PairRanker, PointwiseRanker
from blender_core.comparison.sentence_encoder import SentenceEncoder
from blender_core.errors import CheckpointError
from blender_core.models.configs import TEXT_ARCHITECTURES, transformers_config

HF = CHECKPOINTS / "tiny-PairRM-hf"
FUSER = CHECKPOINTS / "tiny-gen-fuser"
PAIR = Pair("Say hello.", "Hello!", "Go away.")

BACKBONES = {
    "a backbone from a hub": {
        "model_type": "detr",
        "use_timm_backbone": False,
        "use_pretrained_backbone": True,
        "backbone": "someone/repo",
        "backbone_kwargs": {"trust_remote_code": True},
    },
    "a pickle by its path": {
        "model_type": "timm_wrapper",
        "model_args": {"checkpoint_path": "weights.pth"},
    },
    "another text model within": {
        "model_type": "encoder-decoder",
        "encoder": {"model_type": "detr", "backbone": "someone/repo"},
        "decoder": {"model_type": "bert", "is_decoder": True},
    },
    "a vision model": {"model_type": "vit"},
    "no text as a name": {"model_type": ["bert"]},
    "no name": {},
}

EXTRAS = {
    "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"},
    "attn_implementation": "someone/kernel",
    "_attn_implementation": "someone/kernel",
    "_attn_implementation_internal": "someone/kernel",
    "_experts_implementation": "someone/kernel",
    "quantization_config": {"quant_method": "gptq"},
    "backbone": "someone/repo",
    "backbone_config": {"model_type": "timm_backbone", "backbone": "someone/repo"},
    "use_pretrained_backbone": True,
    "text_config": {"model_type": "detr"},
    "per_layer_config": {"0": {"attn_implementation": "someone/kernel"}},
    "base_model_name_or_path": "someone/repo",
    "name_or_path": "someone/repo",
    "dtype": "__class__",
    "is_encoder_decoder": "a",
    "return_dict": False,
}
"""Keys that no text architecture declares, or that are the caller's to choose."""


@pytest.fixture
def offline(monkeypatch):
    """Whoever opens a connection, or looks up a name, fails the test."""
    tried = []

    def refuse(*args, **_):
        tried.append(args)
        raise OSError("the network was asked")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not tried


def with_config(source: Path, folder: Path, config: dict) -> Path:
    shutil.copytree(source, folder)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_no_other_architecture_is_imported():
    program = """
import sys
from pathlib import Path
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from blender_core.models.configs import TEXT_ARCHITECTURES, transformers_config
from blender_core.errors import CheckpointError

others = sorted(CONFIG_MAPPING_NAMES.keys() - TEXT_ARCHITECTURES)
before = set(sys.modules)
for name in others:
    try:
        transformers_config({"model_type": name}, Path("somewhere"))
    except CheckpointError as error:
        assert name in str(error), error
    else:
        raise SystemExit(f"{name} was read")
print(len(others), *(set(sys.modules) - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    refused, *imported = run.stdout.split()
    assert int(refused) > 100
    assert not imported


@pytest.mark.filterwarnings("ignore")  # of defaults that do not go together
@pytest.mark.parametrize("name", sorted(TEXT_ARCHITECTURES))
def test_a_text_architecture_holds_no_other_and_keeps_to_its_keys(name, tmp_path):
    from transformers import CONFIG_MAPPING

    if name not in CONFIG_MAPPING:  # a newer transformers may have dropped it
        with pytest.raises(CheckpointError, match="does not know the model_type"):
            transformers_config({"model_type": name}, tmp_path)
        return
    config = transformers_config({"model_type": name, **EXTRAS}, tmp_path)
    assert not config.sub_configs
    plain = CONFIG_MAPPING[name]()
    assert vars(config) == vars(plain) | {"_name_or_path": config._name_or_path}
    assert config._name_or_path == ""


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("case", BACKBONES)
@pytest.mark.parametrize(
    ("source", "load"),
    [
        (HF, PairRanker.from_pretrained),
        (HF, PointwiseRanker.from_pretrained),
        (FUSER, GenFuser.from_pretrained),
        (FUSER, SentenceEncoder.from_pretrained),
    ],
    ids=["ranker", "pointwise", "fuser", "sentence encoder"],
)
def test_a_config_of_another_kind_is_refused_offline(source, load, case, tmp_path):
    config = BACKBONES[case]
    if load == PointwiseRanker.from_pretrained:
        config = {**config, "architectures": ["BertForSequenceClassification"]}
    folder = with_config(source, tmp_path / "checkpoint", config)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load(folder)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("case", BACKBONES)
def test_an_encoder_within_our_own_layout_is_held_to_the_same(case, tmp_path):
    PairRanker.from_pretrained(HF).comparator.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "encoder": BACKBONES[case]}))
    with pytest.raises(CheckpointError, match="none of the text models"):
        PairRanker.from_pretrained(tmp_path, local_files_only=True)


@pytest.mark.usefixtures("offline")
def test_unknown_keys_change_nothing_and_reach_nothing(tmp_path, pairrm_float32):
    config = json.loads((HF / "config.json").read_text())
    folder = with_config(HF, tmp_path / "ranker", config | EXTRAS)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/base"}')
    (folder / "own.py").write_text("raise SystemExit('code was run')")
    ranker = PairRanker.from_pretrained(folder, local_files_only=True, device="cpu")
    np.testing.assert_array_equal(ranker.logits([PAIR]), pairrm_float32.logits([PAIR]))

    config = json.loads((FUSER / "config.json").read_text())
    folder = with_config(FUSER, tmp_path / "fuser", config | EXTRAS)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/base"}')
    file = folder / "generation_config.json"
    hostile = {"custom_generate": "someone/repo", "assistant_model": "x", "max_new_tokens": -1}
    file.write_text(json.dumps(json.loads(file.read_text()) | hostile))
    texts = [
        GenFuser.from_pretrained(where, local_files_only=True, device="cpu").fuse(
            "Say hello.", ["Hello!", "Hi."], max_new_tokens=5
        )
        for where in (folder, FUSER)
    ]
    assert texts[0] == texts[1]


@pytest.mark.usefixtures("offline")
def test_a_tokenizer_config_chooses_no_code(tmp_path):
    folder = shutil.copytree(FUSER, tmp_path / "fuser")
    (folder / "tokenizer.json").unlink()
    file = folder / "tokenizer_config.json"
    content = json.loads(file.read_text())
    hostile = {"auto_map": {"AutoTokenizer": ["own.T", "own.T"]}, "tokenizer_file": "/etc/passwd"}
    file.write_text(json.dumps(content | hostile))
    (folder / "own.py").write_text("raise SystemExit('code was run')")
    fuser = GenFuser.from_pretrained(folder, device="cpu")
    assert fuser.tokenizer.encode(["Hello you"]) == GenFuser.from_pretrained(
        FUSER, device="cpu"
    ).tokenizer.encode(["Hello you"])


SIZES = {
    "tasks": {"n_tasks": 20_000_000},
    "layers": {"encoder": {"num_hidden_layers": 100_000}},
    "vocabulary": {"encoder": {"vocab_size": 2_000_000_000}},
    "width": {"encoder": {"hidden_size": 1_600_000, "intermediate_size": 10**12}},
    "positions": {"encoder": {"max_position_embeddings": 10**11, "position_biased_input": True}},
    "labels": {"encoder": {"num_labels": 50_000_000}},
    "types": {"encoder": {"type_vocab_size": 10**10}},
    "negative width": {"encoder": {"hidden_size": -16}},
    "a padding token of no vocabulary": {"encoder": {"pad_token_id": -1}},
    "no truth value": {"encoder": {"relative_attention": "a"}},
    "nested": {"encoder": {"id2label": {"0": [[[[[[["x"]]]]]]]}}},
}


def test_sizes_are_held_against_the_weights_before_anything_is_built(tmp_path):
    """Each config asks for gigabytes or minutes; all of them together get less than 200 MB."""
    PairRanker.from_pretrained(HF).comparator.save_pretrained(tmp_path / "whole")
    content = json.loads((tmp_path / "whole" / "config.json").read_text())
    for number, change in enumerate(SIZES.values()):
        config = content | change
        config["encoder"] = content["encoder"] | change.get("encoder", {})
        with_config(tmp_path / "whole", tmp_path / str(number), config)
    program = """
import resource, sys, time
from blender_core import PairRanker
from blender_core.errors import CheckpointError

root, number = sys.argv[1], int(sys.argv[2])
PairRanker.from_pretrained(f"{root}/whole")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
for case in range(number):
    try:
        PairRanker.from_pretrained(f"{root}/{case}")
    except CheckpointError as error:
        print(error)
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024
print(grown, time.process_time() - start)
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path), str(len(SIZES))],
        capture_output=True,
        text=True,
        check=True,
    )
    *refusals, last = run.stdout.strip().splitlines()
    grown, seconds = map(float, last.split())
    # A vocabulary is as large as its vectors, whatever its config says: that one loads.
    assert len(refusals) == len(SIZES) - 1, run.stdout
    assert all(str(tmp_path) in line for line in refusals)
    assert grown < 200
    assert seconds < 20


def test_a_fuser_larger_than_its_weights_is_refused(tmp_path):
    config = json.loads((FUSER / "config.json").read_text())
    for change in ({"d_ff": 10**9}, {"num_layers": 10**6}, {"num_decoder_layers": 10**6}):
        folder = with_config(FUSER, tmp_path / "-".join(change), config | change)
        with pytest.raises(CheckpointError, match=r"config\.json.*the (weights|checkpoint) ha"):
            GenFuser.from_pretrained(folder)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (1_000, "1000 as 'n_tasks', but the head has 1 weights"),
        (30_000_000, "'n_tasks' must be less than or equal to 1024, got 30000000"),
    ],
)
def test_more_tasks_than_weights_are_refused_by_pointwise_rankers(tmp_path, tasks, message):
    from transformers import BertConfig, BertModel

    base = tmp_path / "base"
    shape = BertConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=64,
    )
    BertModel(shape).save_pretrained(base)
    shutil.copy(HF / "tokenizer.json", base)
    weights = load_file(base / "model.safetensors")
    folder = tmp_path / "ranker"
    folder.mkdir()
    shutil.copy(HF / "tokenizer.json", folder)
    named = {f"pretrained_model.{name}": tensor for name, tensor in weights.items()}
    save_file({**named, "fc1.weight": torch.zeros(8, 8)}, folder / "model.safetensors")
    config = {
        "ranker_type": "summareranker", "model_name": str(base), "n_tasks": tasks,
        "source_maxlength": 20, "candidate_maxlength": 20,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        PointwiseRanker.from_pretrained(folder)
