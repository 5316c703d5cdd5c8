"""The network: an encoder that reads one answer at a time, and two heads on what it read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from blender_core.comparison.encoders.encoder import padded
from blender_core.comparison.late.reading import Reading
from blender_core.comparison.late.style import STYLE, STYLE_CLIP

__all__ = ["LateModel", "Read"]

_HIDDEN = 256
_HEADS = 4
_HEAD_SIZE = 32


@dataclass(frozen=True, slots=True)
class Read:
    """Answers as the encoder has read them.

    Attributes:
        worth: float[batch], how good each is by itself.
        queries: float[batch, heads, size], what each looks for in another.
        keys: float[batch, words, heads, size], where it can be found.
        values: float[batch, words, heads, size], what is found there.
        hidden: bool[batch, words], True where there is no word of the answer.
    """

    worth: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor
    hidden: Tensor

    def take(self, places: Tensor) -> Read:
        """Some of the answers, in that order."""
        return Read(*(getattr(self, name)[places] for name in self.__slots__))


class LateModel(nn.Module):
    """Question and two answers to one logit, antisymmetric in the answers by construction.

    ``logit(a, b) = worth(a) - worth(b) + sway(a | b) - sway(b | a)``. The worth of an answer comes
    from its own reading and from the figures of its style; its sway over another one from what
    attention finds in that one's words. As swapping the answers only flips the sign, there is no
    position bias.

    Args:
        encoder: a transformers encoder.
        drop_out: in the heads, while training.
    """

    HEADS = ("worth_layer.", "query_layer.", "word_layer.", "sway_layer.")
    """How names of weights begin that are learnt from nothing."""

    style_mean: Tensor
    style_scale: Tensor

    def __init__(self, encoder: Any, drop_out: float = 0.1) -> None:
        super().__init__()
        hidden = encoder.config.hidden_size
        self.encoder = encoder
        self.worth_layer = nn.Sequential(
            nn.Dropout(drop_out),
            nn.Linear(4 * hidden + len(STYLE), _HIDDEN),
            nn.Tanh(),
            nn.Dropout(drop_out),
            nn.Linear(_HIDDEN, 1),
        )
        self.style_layer = nn.Linear(len(STYLE), 1, bias=False)
        self.register_buffer("style_mean", torch.zeros(len(STYLE)))
        self.register_buffer("style_scale", torch.ones(len(STYLE)))
        size = _HEADS * _HEAD_SIZE
        self.query_layer = nn.Linear(2 * hidden, size)
        self.word_layer = nn.Linear(hidden, 2 * size)
        self.sway_layer = nn.Sequential(
            nn.LayerNorm(4 * size),
            nn.Dropout(drop_out),
            nn.Linear(4 * size, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, 1, bias=False),
        )
        # Nothing is known before training but what `style_layer` is given.
        for layer in (self.worth_layer[-1], self.style_layer, self.sway_layer[-1]):
            for weights in layer.parameters():
                nn.init.zeros_(weights)

    @property
    def drop_out(self) -> float:
        """Share of the heads' inputs that are left out while training."""
        first = self.worth_layer[0]
        return first.p if isinstance(first, nn.Dropout) else 0.0

    def read(self, readings: Sequence[Reading], style: Tensor, marker_place: int) -> Read:
        """Read one batch of answers, each with its question.

        Args:
            readings: padded together to the longest of them.
            style: float[len(readings), len(STYLE)].
            marker_place: of the marker in each part of a reading.
        """
        device = self.style_mean.device
        ids, mask = padded([one.ids for one in readings], _pad_id(self.encoder.config), device)
        states = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        # The heads are small and decide: they keep all bits, whatever the encoder computes in.
        with torch.autocast(device.type, enabled=False):
            return self._read(states.float(), mask, readings, style.to(device), marker_place)

    def _read(
        self,
        states: Tensor,
        mask: Tensor,
        readings: Sequence[Reading],
        style: Tensor,
        marker_place: int,
    ) -> Read:
        device = states.device
        rows = torch.arange(len(readings), device=device)
        border = torch.tensor([one.source_length for one in readings], device=device)
        place = torch.arange(states.shape[1], device=device)
        in_source = place < border[:, None]
        in_answer = mask & ~in_source
        source = states[:, marker_place]
        answer = states[rows, border + marker_place]
        answer_mean = _mean(states, in_answer)
        vectors = [source, answer, answer_mean, _mean(states, in_source) * answer_mean]
        figures = (style - self.style_mean) / self.style_scale
        figures = figures.clamp(-STYLE_CLIP, STYLE_CLIP)
        worth = self.worth_layer(torch.cat([*vectors, figures], dim=1))
        queries = self.query_layer(torch.cat([answer, answer_mean], dim=1))
        # The question's words are left out, here and in what a pair has to hold in memory.
        start = int(border.min())
        keys, values = (
            self.word_layer(states[:, start:])
            .view(len(readings), -1, 2, _HEADS, _HEAD_SIZE)
            .unbind(dim=2)
        )
        return Read(
            (worth + self.style_layer(figures)).squeeze(1),
            queries.view(-1, _HEADS, _HEAD_SIZE),
            keys,
            values,
            ~in_answer[:, start:],
        )

    def compare(self, first: Read, second: Read) -> Tensor:
        """Logits of pairs, float32[pairs], > 0 where the first answer is better."""
        with torch.autocast(first.worth.device.type, enabled=False):
            sway = self._sway(first, second) - self._sway(second, first)
            return first.worth - second.worth + sway

    def _sway(self, one: Read, other: Read) -> Tensor:
        own = _found(one.queries, one)
        there = _found(one.queries, other)
        seen = torch.cat([one.queries.flatten(1), own, there, own * there], dim=1)
        result: Tensor = self.sway_layer(seen).squeeze(1)
        return result


def _found(queries: Tensor, read: Read) -> Tensor:
    """What each query finds in the words, float[batch, heads * size]."""
    attention = torch.einsum("phd,pwhd->phw", queries, read.keys) / _HEAD_SIZE**0.5
    attention = attention.masked_fill(read.hidden[:, None], float("-inf")).softmax(dim=-1)
    return torch.einsum("phw,pwhd->phd", attention, read.values).flatten(1)


def _mean(states: Tensor, chosen: Tensor) -> Tensor:
    weights = chosen.to(states.dtype)[:, :, None]
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def _pad_id(config: Any) -> int:
    return getattr(config, "pad_token_id", None) or 0
