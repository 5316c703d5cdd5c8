"""Readings of texts that outlast a training: the encoder is frozen, so each is read once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from blender_core.comparison.worth.reading import TextReader, TextReading

__all__ = ["KeptReadings"]

_AT_ONCE = 512
_MAX_BATCH_TOKENS = 2048


class KeptReadings:
    """Readings by text, in files of a folder; what is there already is not read again.

    Args:
        folder: is made if it is missing.
        reader: whose readings they are; another one needs another folder.
    """

    def __init__(self, folder: Path, reader: TextReader) -> None:
        self.folder = folder
        self.reader = reader
        self._known: dict[str, TextReading] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(folder.glob("*.npz")):
            self._known.update(_read(file))

    def add(self, texts: Iterable[str], *, show_progress: bool = False) -> None:
        """Read those of the texts that are not known yet."""
        new = [text for text in dict.fromkeys(texts) if _key(text) not in self._known]
        # Of similar lengths together: a file is some batches that hardly pad.
        new.sort(key=len)
        bar = tqdm(total=len(new), unit="text", disable=not show_progress, leave=False)
        for start in range(0, len(new), _AT_ONCE):
            some = new[start : start + _AT_ONCE]
            keys = [_key(text) for text in some]
            readings = self.reader.read(some, _MAX_BATCH_TOKENS)
            name = hashlib.sha256("".join(keys).encode()).hexdigest()[:24]
            _write(self.folder / f"{name}.npz", keys, readings)
            self._known.update(zip(keys, readings, strict=True))
            bar.update(len(some))
        bar.close()

    def __getitem__(self, text: str) -> TextReading:
        return self._known[_key(text)]


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _write(file: Path, keys: Sequence[str], readings: Sequence[TextReading]) -> None:
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez(
            stream,
            keys=np.array(keys),
            opening=np.stack([one.opening for one in readings]).astype(np.float16),
            ending=np.stack([one.ending for one in readings]).astype(np.float16),
            last=np.stack([one.last for one in readings]).astype(np.float16),
            coherence=np.stack([one.coherence for one in readings]),
            lengths=np.array([[len(rows) for rows in one.grams] for one in readings]),
            grams=np.concatenate([rows for one in readings for rows in one.grams]).astype(np.int32),
        )
    part.replace(file)


def _read(file: Path) -> dict[str, TextReading]:
    with np.load(file, allow_pickle=False) as content:
        kept = {name: content[name] for name in content.files}
    rows = iter(np.split(kept["grams"].astype(np.int64), np.cumsum(kept["lengths"].ravel())[:-1]))
    opening, ending, last, coherence = (
        kept[name].astype(np.float32) for name in ("opening", "ending", "last", "coherence")
    )
    return {
        str(key): TextReading(
            opening[place],
            ending[place],
            last[place],
            coherence[place],
            (next(rows), next(rows), next(rows)),
        )
        for place, key in enumerate(kept["keys"])
    }
