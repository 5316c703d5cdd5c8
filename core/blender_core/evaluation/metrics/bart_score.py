"""BARTScore (Yuan et al. 2021): how likely a sequence-to-sequence model finds one text by another.

For a source x and a target y of m tokens, the frame ``<s> ... </s>`` included, it is

    1/m * sum over t of log p(y_t | y_<t, x)

in nats, at most 0. What is source and what is target gives its directions (section 3 of the
paper): recall is p(reference | candidate), precision p(candidate | reference), F their mean.
LLM-Blender's tables have recall, and so has this by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.metrics.metric import TextPair
from blender_core.evaluation.metrics.settings import ModelSettings

__all__ = ["BartScore", "Direction"]

Direction = Literal["recall", "precision", "f"]


class BartScore:
    """BARTScore with any encoder-decoder of transformers whose targets are framed as its sources.

    Texts longer than the model reads are cut on the right; their frame is kept.

    Args:
        settings: ``model`` is a hub id or folder, such as ``facebook/bart-large-cnn``.
        direction: what is scored given what, see above.

    Raises:
        CheckpointError: there is no such model, or it is broken.
    """

    def __init__(self, settings: ModelSettings, direction: Direction = "recall") -> None:
        import torch

        from blender_core.comparison.pointwise.rows import Frame
        from blender_core.fusion.checkpoint import load_model, load_tokenizer
        from blender_core.models.devices import pick_device
        from blender_core.models.files import resolve

        folder = resolve(settings.model, local_files_only=settings.local_files_only)
        device = pick_device(settings.device)
        self._model: Any = load_model(folder, torch.float32).to(device).eval()
        self._tokenizer = load_tokenizer(folder)
        self._before, self._after = Frame.of(self._tokenizer.full, texts=1).parts
        self._limit = int(getattr(self._model.config, "max_position_embeddings", 1024))
        self._pad = int(self._model.config.pad_token_id or 0)
        self._batch_size = settings.batch_size
        self._direction = direction

    def scores(self, pairs: Sequence[TextPair]) -> NDArray[np.float64]:
        """Score pairs in batches."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        room = self._limit - len(self._before) - len(self._after)
        ids = {
            text: [*self._before, *row[:room], *self._after]
            for text, row in zip(texts, self._tokenizer.encode(texts), strict=True)
        }
        forth = [(ids[candidate], ids[reference]) for candidate, reference in pairs]
        found = []
        if self._direction in ("recall", "f"):
            found.append(self._log_likelihoods(forth))
        if self._direction in ("precision", "f"):
            found.append(self._log_likelihoods([(target, source) for source, target in forth]))
        result: NDArray[np.float64] = np.mean(found, axis=0)
        return result

    def _log_likelihoods(self, rows: Sequence[tuple[list[int], list[int]]]) -> NDArray[np.float64]:
        """Mean log probability of each target's tokens, by its source."""
        result = np.full(len(rows), np.nan)
        # Longest first: running out of memory shows at once.
        order = sorted(range(len(rows)), key=lambda place: -sum(map(len, rows[place])))
        for start in range(0, len(order), self._batch_size):
            places = order[start : start + self._batch_size]
            result[places] = self._batch([rows[place] for place in places])
        return result

    def _batch(self, rows: Sequence[tuple[list[int], list[int]]]) -> NDArray[np.float64]:
        import torch

        device = self._model.device
        sources, source_mask = _padded([source for source, _ in rows], self._pad, device)
        targets, target_mask = _padded([target for _, target in rows], self._pad, device)
        with torch.inference_mode():
            logits = self._model(
                input_ids=sources, attention_mask=source_mask, labels=targets
            ).logits.float()
            likelihoods = logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
            sums = (likelihoods * target_mask).sum(1).double() / target_mask.sum(1)
        result: NDArray[np.float64] = sums.cpu().numpy()
        return result


def _padded(rows: Sequence[list[int]], pad: int, device: Any) -> tuple[Any, Any]:
    """Ids and mask, int64[B, L] each, padded on the right."""
    import torch

    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros_like(ids)
    for line, row in enumerate(rows):
        ids[line, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[line, : len(row)] = 1
    return ids.to(device), mask.to(device)
