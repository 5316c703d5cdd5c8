"""Where to compute, in which precision, and how much at once."""

from __future__ import annotations

import torch

from blender_core.checks import positive
from blender_core.errors import InputError, first_line

__all__ = ["pick_batch_tokens", "pick_device", "pick_dtype"]

_CPU_BATCH_TOKENS = 1024
_ACCELERATOR_BATCH_TOKENS = 16384


def pick_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or an accelerator if there is one, else the CPU.

    Raises:
        InputError: torch does not know the device, or cannot use it on this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = first_line(error)
        raise InputError(f"device {str(device)!r} cannot be used here: {reason}") from error
    if chosen.type == "meta":
        raise InputError("device 'meta' computes nothing; use 'cpu' or an accelerator")
    return chosen


def pick_dtype(
    dtype: str | torch.dtype | None, device: torch.device, *, fast: bool = False
) -> torch.dtype:
    """The precision asked for; None is float32 on a CPU and half precision on an accelerator.

    Args:
        dtype: a floating torch dtype or its name, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        device: where the model will be.
        fast: whether None is bfloat16 on a CPU that multiplies in it, too.

    Raises:
        InputError: there is no such floating dtype.
    """
    if dtype is None:
        if device.type == "cpu":
            return torch.bfloat16 if fast and _multiplies_bfloat16() else torch.float32
        return torch.bfloat16 if _has_bfloat16(device) else torch.float16
    chosen = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(chosen, torch.dtype) or not chosen.is_floating_point:
        raise InputError(f"unknown dtype {dtype!r}; use float32, bfloat16 or float16")
    return chosen


def _multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for it; versions of torch that cannot tell say no."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    can = tell() if tell else {}
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        torch.ones(1, dtype=torch.bfloat16, device=device) + 1
    except (RuntimeError, TypeError):
        return False
    return True


def pick_batch_tokens(max_batch_tokens: int | None, device: torch.device) -> int:
    """Tokens of one forward pass: as asked for, else what is fast on the device.

    On a CPU that is what ``python -m benchmarks batch_tokens`` found to be fast: big activations
    cost more in page faults than big matrix products gain. An accelerator gets enough to be busy;
    the same benchmark shows what is best on yours.

    Raises:
        InputError: it is no positive whole number.
    """
    if max_batch_tokens is not None:
        return positive("max_batch_tokens", max_batch_tokens)
    return _CPU_BATCH_TOKENS if device.type == "cpu" else _ACCELERATOR_BATCH_TOKENS
