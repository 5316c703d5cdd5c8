"""From a hub id or folder to files, and from files to tensors, with errors for people."""

from __future__ import annotations

from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blender_core.errors import CheckpointError, InputError
from blender_core.git_lfs import POINTER, is_pointer
from blender_core.json_values import parsed
from blender_core.models.descriptions import ShardIndex
from blender_core.validation import brief, held_to, reason, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import torch

__all__ = [
    "check_fit",
    "check_weights",
    "read_json",
    "read_weights",
    "refuse_pointer",
    "resolve",
    "tensors_into",
    "told_by",
    "weight_files",
]

_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
_ADAPTER = "adapter_config.json"
_LEGACY_WEIGHTS = ["pytorch_model*.bin"]
_NAMED_AT_MOST = 5


def resolve(
    model: str | PathLike[str],
    *,
    revision: str | None = None,
    cache_folder: str | PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    allow_patterns: list[str] | None = None,
) -> Path:
    """The local folder of a model: the folder itself, or a download of the hub id.

    Args:
        model: folder or hub id.
        revision: branch, tag or commit on the hub.
        cache_folder: where downloads are kept.
        local_files_only: never use the network.
        token: for private repositories.
        allow_patterns: which files are wanted; None wants config, tokenizer and weights.

    Raises:
        CheckpointError: there is neither such a folder nor a model of that name to be had.
    """
    if not isinstance(model, str | PathLike):
        raise CheckpointError(f"a model is a folder or a hub id, got {type(model).__name__}")
    name = str(model)
    if not name:
        raise CheckpointError("the name of the model is empty: give a folder or a hub id")
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise CheckpointError(f"{name}: a checkpoint is a folder, this is a file")
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise CheckpointError(
            f"{name}: no such folder, and no hub id ('owner/name', "
            "such as google-bert/bert-base-uncased) either"
        )
    from blender_core.models.transformers_parts import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        snapshot_download,
    )

    def download(patterns: list[str]) -> Path:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                cache_dir=None if cache_folder is None else Path(cache_folder).expanduser(),
                local_files_only=local_files_only,
                token=token,
                allow_patterns=patterns,
                ignore_patterns=["*/*"],  # intermediate checkpoints and other formats
            )
        )

    try:
        folder = download(allow_patterns or _WANTED)
        if allow_patterns is None and not any(folder.glob("*.safetensors")):
            return download(_LEGACY_WEIGHTS)
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{name}: neither a folder nor to be had from the hub ({reason(error)}). "
            "Give the path of a downloaded checkpoint to work without a network"
        ) from error
    return folder


@contextmanager
def told_by(file: Path, *, unless: object = None) -> Iterator[None]:
    """While a value is used that a checkpoint's file has: what is wrong is that file's fault.

    Args:
        file: which has the value.
        unless: the value that the caller gave in its place, if any.

    Raises:
        CheckpointError: for one of our errors within, with the file's name in front.
    """
    try:
        yield
    except (CheckpointError, InputError) as error:
        if unless:
            raise
        raise CheckpointError(f"{file}: {error}") from error


def refuse_pointer(file: Path) -> None:
    """Refuse what lies in place of a file that Git LFS has not fetched.

    Raises:
        CheckpointError: it is that, or cannot be read.
    """
    try:
        if not is_pointer(file):
            return
    except OSError as error:
        raise CheckpointError(f"{file}: not readable: {reason(error)}") from error
    raise CheckpointError(f"{file}: {POINTER}")


def _refuse_adapter(folder: Path) -> None:
    """Refuse the folder of a LoRA adapter, which is no model without the one it is for."""
    try:
        told = parsed((folder / _ADAPTER).read_bytes())
    except (OSError, InputError):
        return
    base = told.get("base_model_name_or_path") if isinstance(told, dict) else None
    raise CheckpointError(
        f"{folder}: holds an adapter (LoRA) alone, not the model it is for"
        + (f", {base!r:.200}" if isinstance(base, str) and base else "")
        + "; give a folder with both merged (PEFT's merge_and_unload, then save_pretrained)"
    )


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointError: the file is missing or holds something else.
    """
    try:
        refuse_pointer(file)
        content = parsed(file.read_bytes())
    except FileNotFoundError:
        if file.name == "config.json":
            _refuse_adapter(file.parent)
        raise CheckpointError(f"{file}: file is missing") from None
    except (OSError, InputError) as error:
        raise CheckpointError(f"{file}: not readable as JSON: {reason(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file}: expected a JSON object, got {type_of(content)}")
    return content


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint, on the CPU, in the precision they were saved in.

    Reads ``model.safetensors``, its shards, or else ``pytorch_model.bin`` or its shards. The
    latter are pickles and read with ``weights_only=True``: nothing in them is executed.

    Raises:
        CheckpointError: no weights, or a file is truncated or holds something else.
    """
    weights: dict[str, torch.Tensor] = {}
    for file in weight_files(folder):
        refuse_pointer(file)
        weights.update(
            _read_safetensors(file) if file.suffix == ".safetensors" else _read_bin(file)
        )
    return weights


def weight_files(folder: Path) -> list[Path]:
    """The files of a checkpoint's weights: one, or all shards.

    Raises:
        CheckpointError: there are none, or the list of the shards is broken.
    """
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = held_to(ShardIndex, read_json(index), index).weight_map
            return [folder / Path(shard).name for shard in sorted(set(shards.values()))]
    _refuse_adapter(folder)
    raise CheckpointError(f"{folder}: no weights; expected model.safetensors or pytorch_model.bin")


def _read_safetensors(file: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except Exception as error:  # safetensors and torch raise all kinds for broken files
        raise CheckpointError(
            f"{file}: broken or truncated safetensors file ({reason(error)}); download it again"
        ) from error


def _read_bin(file: Path) -> dict[str, torch.Tensor]:
    import torch

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{file}: not readable: {reason(error)}") from error
    # A broken pickle fails in any way. Torch's words are not passed on: they tell how to load
    # what holds code.
    except Exception as error:
        raise CheckpointError(
            f"{file}: not a file of plain weights: it is broken, or holds more than tensors. "
            "Download it again, or ask for model.safetensors"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file}: not a file of plain weights: no table of tensors")
    for name, tensor in content.items():
        if not isinstance(name, str):
            raise CheckpointError(
                f"{file}: not a file of plain weights: {brief(name)} is no name of a tensor"
            )
        if not isinstance(tensor, torch.Tensor) or not _is_plain(tensor):
            raise CheckpointError(f"{file}: not a file of plain weights: {name!r:.80} is not plain")
    return content


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether there are numbers, one a place: no sparse, quantized or empty shell of a tensor."""
    import torch

    is_dense = tensor.layout == torch.strided and tensor.device.type == "cpu"
    return is_dense and not tensor.is_quantized and not tensor.is_complex()


def tensors_into(module: torch.nn.Module, weights: Mapping[str, torch.Tensor], where: Path) -> None:
    """Copy a checkpoint's tensors into a module, in the module's precision; all must fit.

    A tensor that the module shares under several names may be given under one of them.

    Raises:
        CheckpointError: tensors are missing, left over, or of another shape; some are named. Or
            torch cannot convert their numbers.
    """
    check_weights(module, weights, where)
    try:
        module.load_state_dict(_current(weights), strict=False)
    except RuntimeError as error:
        raise CheckpointError(
            f"{where}: the weights do not fit the model: numbers of a kind that "
            f"this version of torch cannot convert ({reason(error)})"
        ) from error


def check_weights(
    module: torch.nn.Module, weights: Mapping[str, torch.Tensor], where: Path
) -> None:
    """Refuse weights that do not fit a module exactly; it may be on torch's meta device.

    Raises:
        CheckpointError: tensors are missing, left over, or of another shape; some are named.
    """
    weights = _current(weights)
    own = _current(module.state_dict())
    tensors: dict[str, torch.Tensor] = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    given = {id(tensors[name]) for name in own.keys() & weights.keys()}
    check_fit(
        where,
        missing={name for name in own.keys() - weights.keys() if id(tensors[name]) not in given},
        unexpected=weights.keys() - own.keys(),
        reshaped={n for n in own.keys() & weights.keys() if own[n].shape != weights[n].shape},
    )


def _current(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without a buffer that older programs saved, a mere arange; nobody saves it any more."""
    return {name: w for name, w in weights.items() if not name.endswith(".position_ids")}


def check_fit(
    where: Path, *, missing: Iterable[str], unexpected: Iterable[str], reshaped: Iterable[str]
) -> None:
    """Refuse weights that do not fit their model exactly.

    Args:
        where: the checkpoint's folder.
        missing: weights of the model that the checkpoint lacks.
        unexpected: weights of the checkpoint that the model has not.
        reshaped: weights of another shape.

    Raises:
        CheckpointError: there are any; some are named.
    """
    faults = [
        f"{len(names)} {what}: {', '.join(names[:_NAMED_AT_MOST])}"
        + (", ..." if len(names) > _NAMED_AT_MOST else "")
        for what, names in (
            ("missing", sorted(missing)),
            ("not part of the model", sorted(unexpected)),
            ("of another shape", sorted(reshaped)),
        )
        if names
    ]
    if faults:
        raise CheckpointError(f"{where}: the weights do not fit the model. {'; '.join(faults)}")
