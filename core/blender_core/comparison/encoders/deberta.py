"""DeBERTa-v2/v3 for inference, several times fewer operations than transformers' own.

Same weights, same result (to rounding), but
* the projected relative positions, which depend on weights only, are computed once at load,
* query, key and value come from one matrix product,
* only relative positions that occur at a batch's length are multiplied,
* the last layer is computed only at the three markers, as nothing else of it is used.

(He et al. 2021, "DeBERTa", section 3.1: attention is the sum of content-to-content,
content-to-position and position-to-content terms.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from blender_core.comparison.encoders.encoder import marker_places, padded
from blender_core.comparison.encoding import Row

__all__ = ["DebertaEncoder"]


class DebertaEncoder:
    """Runs the weights of a `DebertaV2Model`.

    Args:
        model: in evaluation mode, on its device and in its precision. Its weights are read once:
            after a change of device, precision or weights make a new encoder.
        marker_offset: place of the marker within each part of a row.
        pad_id: id of the padding token.
    """

    def __init__(self, model: Any, marker_offset: int, pad_id: int) -> None:
        self.model = model
        self.marker_offset = marker_offset
        self.pad_id = pad_id
        encoder = model.encoder
        self._buckets = _Buckets(
            encoder.position_buckets, encoder.max_relative_positions, model.device
        )
        with torch.inference_mode():
            positions = encoder.get_rel_embedding()
            self._layers = [_Layer(layer, positions, self._buckets.span) for layer in encoder.layer]

    @staticmethod
    def supports(config: Any) -> bool:
        """Whether a config describes what is implemented here: all of DeBERTa-v3."""
        return (
            config.model_type == "deberta-v2"
            and config.relative_attention
            and getattr(config, "share_att_key", False)
            and set(config.pos_att_type or ()) == {"c2p", "p2c"}
            and getattr(config, "conv_kernel_size", 0) == 0
        )

    def __call__(self, rows: Sequence[Row]) -> Tensor:
        """Vectors at the markers, [len(rows), 3, hidden]."""
        device = self.model.device
        ids, mask = padded([row.ids for row in rows], self.pad_id, device)
        places = marker_places(rows, self.marker_offset, device)
        hidden = self.model.embeddings(input_ids=ids, mask=mask)
        is_padded = len({len(row) for row in rows}) > 1
        hidden_keys = ~mask[:, None, None, :] if is_padded else None
        low, high, index = self._buckets.within(ids.shape[1])
        for layer in self._layers[:-1]:
            hidden = layer(hidden, hidden_keys, low, high, index)
        return self._layers[-1].at(places, hidden, hidden_keys, low, high, index)


class _Buckets:
    """Relative distances as rows of the table of relative embeddings."""

    def __init__(self, buckets: int, longest: int, device: torch.device) -> None:
        self.buckets = buckets
        self.longest = longest
        self.span = buckets if buckets > 0 else longest
        self._device = device
        self._index = torch.empty(0, 0, dtype=torch.long, device=device)

    def within(self, length: int) -> tuple[int, int, Tensor]:
        """Which rows of the table a sequence needs.

        Returns:
            low, high: the slice of the table that occurs, and int64[length, length], the place in
            that slice of the distance (row - column).
        """
        index = self._index
        if length > len(index):
            # A shorter sequence's index is the corner of a longer one's: one of them serves all.
            index = self._index = self._built(max(length, 2 * len(index))).to(self._device)
        low, high = int(index[0, length - 1]), int(index[length - 1, 0]) + 1
        return low, high, index[:length, :length] - low

    def _built(self, length: int) -> Tensor:
        distance = torch.arange(1 - length, length)
        places = self._buckets(distance) if self.buckets > 0 else distance
        places = (places + self.span).clamp(0, 2 * self.span - 1)
        rows = torch.arange(length)
        return places[rows[:, None] - rows[None, :] + length - 1]

    def _buckets(self, distance: Tensor) -> Tensor:
        """Distances near by as they are, those further away in growing steps.

        In float32, as where the models were trained: a bucket's border can hang on the rounding.
        """
        half = self.buckets // 2
        far = distance.abs().clamp(min=half).float() / half
        steps = torch.log(far) / torch.log(torch.tensor((self.longest - 1) / half)) * (half - 1)
        bucket = (steps.ceil() + half).long() * distance.sign()
        return torch.where(distance.abs() <= half, distance, bucket)


class _Layer:
    """One transformer layer."""

    def __init__(self, layer: Any, positions: Tensor, span: int) -> None:
        attention = layer.attention.self
        self.heads: int = attention.num_attention_heads
        query, key, value = attention.query_proj, attention.key_proj, attention.value_proj
        # All three terms are divided by sqrt(3 d); doing it to the query's weights and the
        # projected query positions does it once and for all.
        scale = (3 * attention.attention_head_size) ** -0.5
        self.weight = torch.cat([query.weight * scale, key.weight, value.weight])
        self.bias = torch.cat([query.bias * scale, key.bias, value.bias])
        table = positions[: 2 * span]
        self.position_keys = self._by_head(key(table))
        self.position_queries = self._by_head(query(table) * scale)
        self.attention_output = layer.attention.output
        self.intermediate = layer.intermediate
        self.output = layer.output

    def _by_head(self, table: Tensor) -> Tensor:
        """[positions, hidden] to [heads, head size, positions]."""
        return table.view(len(table), self.heads, -1).permute(1, 2, 0).contiguous()

    def __call__(
        self, hidden: Tensor, hidden_keys: Tensor | None, low: int, high: int, index: Tensor
    ) -> Tensor:
        """The layer's output at all places, [batch, length, hidden]."""
        batch, length, _ = hidden.shape
        qkv = functional.linear(hidden, self.weight, self.bias)
        query, key, value = qkv.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        shape = (batch, self.heads, length, length)
        to_position = query @ self.position_keys[:, :, low:high]
        from_position = key @ self.position_queries[:, :, low:high]
        bias = to_position.gather(-1, index.expand(shape))
        bias += from_position.gather(-1, index.T.expand(shape)).transpose(-1, -2)
        if hidden_keys is not None:
            bias.masked_fill_(hidden_keys, float("-inf"))
        context = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias, scale=1.0
        )
        return self._after_attention(context.transpose(1, 2).reshape(hidden.shape), hidden)

    def at(
        self,
        places: Tensor,
        hidden: Tensor,
        hidden_keys: Tensor | None,
        low: int,
        high: int,
        index: Tensor,
    ) -> Tensor:
        """The layer's output at a few places only, [batch, places, hidden]."""
        batch, length, size = hidden.shape
        some = hidden[torch.arange(batch, device=hidden.device)[:, None], places]
        query = functional.linear(some, self.weight[:size], self.bias[:size])
        key, value = (
            functional.linear(hidden, self.weight[size:], self.bias[size:])
            .view(batch, length, 2, self.heads, -1)
            .permute(2, 0, 3, 1, 4)
        )
        query = query.view(batch, -1, self.heads, size // self.heads).transpose(1, 2)
        rows = index[places]  # [batch, places, length]
        to_position = query @ self.position_keys[:, :, low:high]
        bias = to_position.gather(-1, rows[:, None].expand(-1, self.heads, -1, -1))
        from_position = key @ self.position_queries[:, :, low:high]  # [batch, heads, length, span]
        bias += from_position.gather(
            -1, rows.transpose(1, 2)[:, None].expand(-1, self.heads, -1, -1)
        ).transpose(-1, -2)
        if hidden_keys is not None:
            bias.masked_fill_(hidden_keys, float("-inf"))
        context = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias, scale=1.0
        )
        return self._after_attention(context.transpose(1, 2).reshape(some.shape), some)

    def _after_attention(self, context: Tensor, hidden: Tensor) -> Tensor:
        attended = self.attention_output(context, hidden)
        result: Tensor = self.output(self.intermediate(attended), attended)
        return result
