"""User text to token ids, so that no text can ever act as a special token.

A checkpoint's ``tokenizer.json`` is read as it is. (transformers 5 rebuilds the normalizer of some
model families, DeBERTa's among them, and then gives other ids for full-width, Chinese and ligature
text.) From it a second, plain tokenizer is made that knows no special token: `[SEP]` or
`<|source|>` in an answer are brackets and letters to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from blender_core.errors import CheckpointError, message_of

__all__ = ["TextTokenizer", "read_tokenizer", "well_formed"]

_UNUSABLE = "\U0010ffff"
"""A noncharacter. Names of special tokens start with it in the plain tokenizer, no text has it."""


class TextTokenizer:
    """Tokenizes user text as text and gives the ids of special tokens by name.

    Args:
        full: the checkpoint's tokenizer.
        markers: added tokens that steer the model though the checkpoint does not call them
            special.
    """

    def __init__(self, full: Tokenizer, markers: Sequence[str] = ()) -> None:
        self.full = full
        self.full.no_truncation()
        self.full.no_padding()
        self.markers = tuple(markers)
        self._plain = _without_special_tokens(full, set(markers))

    @classmethod
    def from_file(cls, file: str | PathLike[str], markers: Sequence[str] = ()) -> TextTokenizer:
        """Read a ``tokenizer.json``.

        Raises:
            CheckpointError: the file cannot be read as one.
        """
        return cls(read_tokenizer(Path(file)), markers)

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Ids of each text alone: no special tokens, no truncation.

        An answer that contains ``[SEP]`` yields the ids of ``[``, ``SEP`` and ``]``.
        """
        encodings = self._plain.encode_batch_fast(
            [well_formed(text) for text in texts], add_special_tokens=False
        )
        return [encoding.ids for encoding in encodings]

    def id_of(self, token: str) -> int:
        """Id of a special token or marker.

        Raises:
            CheckpointError: the tokenizer has no such token.
        """
        token_id: int | None = self.full.token_to_id(token)
        if token_id is None:
            raise CheckpointError(f"the tokenizer has no token {token!r}")
        return token_id

    def frame(self, token: str) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a sequence, seen on that one token.

        BERT's, for example, gives ``([id of CLS], [id of SEP])``.
        """
        ids: list[int] = self.full.encode(token).ids
        place = ids.index(self.id_of(token))
        return ids[:place], ids[place + 1 :]


def read_tokenizer(file: Path) -> Tokenizer:
    """A ``tokenizer.json`` as it is.

    Raises:
        CheckpointError: the file cannot be read as one.
    """
    try:
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises plain Exception for a broken file
        raise CheckpointError(
            f"{file}: not a readable tokenizer.json: {message_of(error)}"
        ) from error


def well_formed(text: str) -> str:
    r"""The text as valid Unicode: a lone surrogate becomes U+FFFD, as decoders do it.

    >>> well_formed("caf\u00e9 \ud83d") == "caf\u00e9 \ufffd"
    True
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace(_UNUSABLE, "\ufffd")


def _without_special_tokens(full: Tokenizer, markers: set[str]) -> Tokenizer:
    """The same tokenizer with special tokens unreachable from text, all ids unchanged."""
    spec: dict[str, Any] = json.loads(full.to_str())
    added = spec["added_tokens"]
    hidden = {
        token["content"] for token in added if token["special"] or token["content"] in markers
    }
    spec["added_tokens"] = [token for token in added if token["content"] not in hidden]
    spec["post_processor"] = None
    model = spec["model"]
    # The vocabulary itself must not match them either, as a unigram model otherwise would.
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {_renamed(token, hidden): place for token, place in vocabulary.items()}
    else:
        model["vocab"] = [[_renamed(token, hidden), score] for token, score in vocabulary]
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if _merged(merge) not in hidden]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = _renamed(model["unk_token"], hidden)
    return Tokenizer.from_str(json.dumps(spec))


def _merged(merge: str | list[str]) -> str:
    """What a BPE merge makes of its two parts (``"a b"`` in older files)."""
    return "".join(merge.split(" ") if isinstance(merge, str) else merge)


def _renamed(token: str, hidden: set[str]) -> str:
    return _UNUSABLE + token if token in hidden else token
