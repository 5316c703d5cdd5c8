"""A GGUF file as a folder that everything else here reads, converted once into the user's cache."""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, pre_tokenizers

from blender_core.causal.cache import made_once
from blender_core.causal.gguf_header import GgufHeader, read_header
from blender_core.errors import CheckpointError, MissingExtraError
from blender_core.models.building import check_size
from blender_core.models.clean_copy import link
from blender_core.models.configs import transformers_config
from blender_core.models.files import check_fit
from blender_core.validation import reason

__all__ = ["converted"]

_VERSION = 1
"""Of what is written; folders of another one are not found."""

_PIECES, _PIECE = 256, 1 << 14
_NAMED = ("bos_token", "eos_token", "unk_token", "pad_token")

_DIGITS_ALONE = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
"""Ways of splitting text of which the library does not know that digits stand alone.

Source: ggml-org/llama.cpp, ``src/llama-vocab.cpp``.
"""


def converted(file: Path) -> Path:
    """The folder with the file's config, weights and tokenizer.

    Weights that are half precision or less in the file are kept in half precision.

    Args:
        file: in the GGUF format.

    Raises:
        CheckpointError: it is broken, or of an architecture that is not read.
        MissingExtraError: the packages that read such files are not installed.
        NotSavedError: the user's cache cannot be written.
    """
    return made_once(f"gguf-{_VERSION}-{_fingerprint(file)}", lambda to: _convert(file, to))


def _fingerprint(file: Path) -> str:
    """Tells files apart by their size, their beginning and pieces from all over them."""
    try:
        size = file.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with file.open("rb") as stream:
            for start in range(0, size, max(_PIECE, size // _PIECES)):
                stream.seek(start)
                digest.update(stream.read(_PIECE))
    except OSError as error:
        raise CheckpointError(f"{file}: not readable: {reason(error)}") from error
    return f"{size}-{digest.hexdigest()[:16]}"


def _convert(file: Path, to: Path) -> None:
    if any(find_spec(package) is None for package in ("accelerate", "gguf")):
        raise MissingExtraError("reading GGUF files", "local")
    from gguf import GGML_QUANT_SIZES

    header = read_header(file, {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()})
    if scaled := [name for name in header.tensors if name.startswith("rope_f")]:
        raise CheckpointError(
            f"{file}: scales its positions ({scaled[0]}), which transformers does not read from "
            "GGUF files; load the same model from its safetensors"
        )
    # Whatever else lies beside the file is not read.
    with TemporaryDirectory(prefix="blended-llm-") as name:
        link(file, Path(name) / "model.gguf")
        try:
            config, model, tokenizer = _read(Path(name), header, file)
        except CheckpointError:
            raise
        except Exception as error:  # the libraries raise all kinds for broken files
            told = reason(error).replace(name, "...")
            raise CheckpointError(f"{file}: not a usable GGUF file: {told}") from error
    (to / "config.json").write_text(json.dumps(config.to_diff_dict()), encoding="utf-8")
    save_file(
        {name: _halved(weight.detach()) for name, weight in model.named_parameters()},
        to / "model.safetensors",
        metadata={"format": "pt"},
    )
    (to / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
    settings = {name: getattr(tokenizer, name) for name in _NAMED}
    settings["chat_template"] = tokenizer.chat_template
    (to / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _read(folder: Path, header: GgufHeader, file: Path) -> tuple[Any, Any, Any]:
    """Config, model and tokenizer of ``model.gguf`` in a folder, as transformers makes them."""
    from blender_core.models.transformers_parts import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        AutoConfig,
        AutoModelForCausalLM,
        AutoTokenizer,
    )

    source: dict[str, Any] = {"gguf_file": "model.gguf", "local_files_only": True}
    config = transformers_config(AutoConfig.from_pretrained(folder, **source).to_dict(), file)
    check_size(MODEL_FOR_CAUSAL_LM_MAPPING, config, header.tensors, file)
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, **source
    )
    check_fit(
        file,
        missing=report["missing_keys"],
        unexpected=report["unexpected_keys"],
        reshaped=[name for name, *_ in report["mismatched_keys"]],
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, **source)
    _split_digits(tokenizer.backend_tokenizer, header.splitting)
    return config, model, tokenizer


def _halved(weight: torch.Tensor) -> torch.Tensor:
    """In half precision, where the numbers are not too large for it."""
    half = weight.half()
    return half if bool(half.isfinite().all()) else weight


def _split_digits(tokenizer: Tokenizer, splitting: str) -> None:
    if splitting in _DIGITS_ALONE:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), tokenizer.pre_tokenizer]
        )
