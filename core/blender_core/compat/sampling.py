"""Many answers of one transformers model to each prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blender_core.compat.checks import check_known
from blender_core.errors import InputError

__all__ = ["sample"]

_MODES: dict[str | None, dict[str, Any]] = {
    "top_p_sampling": {"do_sample": True, "temperature": 0.7, "top_p": 1.0},
    "top_k_sampling": {"do_sample": True, "temperature": 0.7, "top_k": 50},
    None: {},
}

_NO_LIMIT = 1_000_000
"""A tokenizer that knows no limit says 10**30."""


def sample(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    n: int,
    *,
    mode: str | None,
    batch_size: int,
    options: Mapping[str, Any],
) -> list[list[str]]:
    """N texts a prompt, without the prompt.

    Args:
        model: a causal or sequence-to-sequence model of transformers.
        tokenizer: its tokenizer; one without a padding token will do.
        prompts: what is too long for the tokenizer is cut by it.
        n: texts a prompt.
        mode: ``"top_p_sampling"``, ``"top_k_sampling"``, or None: whatever `options` say.
        batch_size: prompts generated from together.
        options: of the model's ``generate``; they come before those of the mode.

    Raises:
        InputError: unknown mode, or nothing says how long a text may be.
    """
    check_known("sampling_mode", mode, _MODES)
    if "num_return_sequences" in options:
        raise InputError("'num_return_sequences' cannot be given: 'n' says how many")
    options = {**_MODES[mode], **options}
    if not options.keys() & {"max_new_tokens", "max_length"}:
        options["max_length"] = _longest(model, tokenizer)
    answers: list[list[str]] = []
    for start in range(0, len(prompts), batch_size):
        batch = list(prompts[start : start + batch_size])
        texts = _generate(model, tokenizer, batch, n, options)
        answers.extend(texts[place : place + n] for place in range(0, len(texts), n))
    return answers


def _longest(model: Any, tokenizer: Any) -> int:
    """Tokens of the longest text that model and tokenizer are made for."""
    limits = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None))
    usable = [int(limit) for limit in limits if limit is not None and limit < _NO_LIMIT]
    if not usable:
        raise InputError(
            "neither model nor tokenizer says how long a text may be: pass max_new_tokens=..."
        )
    return min(usable)


def _generate(
    model: Any, tokenizer: Any, prompts: list[str], n: int, options: Mapping[str, Any]
) -> list[str]:
    import torch

    rows: list[list[int]] = tokenizer(prompts, truncation=True)["input_ids"]
    is_causal = not model.config.is_encoder_decoder
    known = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    pad = next(token for token in known if token is not None)
    width = max(map(len, rows))

    def padded(row: list[int], filling: int) -> list[int]:
        rest = [filling] * (width - len(row))
        # A causal model goes on from the right end of its prompt.
        return rest + row if is_causal else row + rest

    device = model.device
    written = model.generate(
        input_ids=torch.tensor([padded(row, pad) for row in rows], device=device),
        attention_mask=torch.tensor([padded([1] * len(row), 0) for row in rows], device=device),
        **{"pad_token_id": pad, **options},
        num_return_sequences=n,
        return_dict_in_generate=False,
    )
    answers = written[:, width:] if is_causal else written
    texts: list[str] = tokenizer.batch_decode(answers, skip_special_tokens=True)
    return texts
