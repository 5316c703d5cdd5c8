"""What an encoder of rows is, and how rows become padded tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.comparison.encoding import Row

__all__ = ["MarkerEncoder", "marker_places", "padded"]


class MarkerEncoder(Protocol):
    """Reads rows and returns what the head needs."""

    def __call__(self, rows: Sequence[Row]) -> torch.Tensor:
        """Encode one batch.

        Args:
            rows: padded together to the longest of them.

        Returns:
            [len(rows), 3, hidden]: the last layer's vectors at the markers of question, first
            and second answer.
        """
        ...


def padded(
    rows: Sequence[NDArray[np.int64]], pad_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows as one tensor, padded on the right.

    Returns:
        ids, int64[len(rows), longest], and the mask, bool of the same shape, True on real tokens.
    """
    lengths = np.array([len(row) for row in rows])
    ids = np.full((len(rows), lengths.max()), pad_id, dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
    mask = np.arange(ids.shape[1]) < lengths[:, None]
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def marker_places(rows: Sequence[Row], offset: int, device: torch.device) -> torch.Tensor:
    """Where the three markers stand in each whole row, int64[len(rows), 3].

    Args:
        rows: the rows.
        offset: place of the marker within each part.
        device: where the result is needed.
    """
    places = [
        [offset, len(row.source) + offset, len(row.source) + len(row.first) + offset]
        for row in rows
    ]
    return torch.tensor(places, device=device)
