"""User text to token ids, so that no text can ever act as a special token.

A checkpoint's ``tokenizer.json`` is read as it is. (transformers 5 rebuilds the normalizer of some
model families, DeBERTa's among them, and then gives other ids for full-width, Chinese and ligature
text.) From it a second, plain tokenizer is made that knows no special token: `[SEP]` or
`<|source|>` in an answer are brackets and letters to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from blender_core.errors import CheckpointError
from blender_core.json_values import parsed
from blender_core.models.files import refuse_pointer
from blender_core.models.tokenizer_file import TokenizerFile
from blender_core.validation import brief, held_to, reason

__all__ = ["TextTokenizer", "both_ends", "read_tokenizer", "sound", "well_formed"]

_UNUSABLE = "\U0010ffff"
"""A noncharacter. Names of special tokens start with it in the plain tokenizer, no text has it."""


class TextTokenizer:
    """Tokenizes user text as text and gives the ids of special tokens by name.

    Args:
        full: the checkpoint's tokenizer.
        markers: added tokens that steer the model though the checkpoint does not call them
            special.
        file: where it was read from, for messages.

    Raises:
        CheckpointError: it cannot be used as one.
    """

    def __init__(
        self, full: Tokenizer, markers: Sequence[str] = (), file: Path | None = None
    ) -> None:
        self.full = full
        self.markers = tuple(markers)
        self._name = "the tokenizer" if file is None else str(file)
        with sound(f"{self._name}: not a usable tokenizer"):
            self.full.no_truncation()
            self.full.no_padding()
            self._plain = _without_special_tokens(full, set(markers))

    @classmethod
    def from_file(cls, file: str | PathLike[str], markers: Sequence[str] = ()) -> TextTokenizer:
        """Read a ``tokenizer.json``.

        Raises:
            CheckpointError: the file cannot be read as one.
        """
        return cls(read_tokenizer(Path(file)), markers, Path(file))

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Ids of each text alone: no special tokens, no truncation.

        An answer that contains ``[SEP]`` yields the ids of ``[``, ``SEP`` and ``]``.

        Raises:
            CheckpointError: the tokenizer fails on a text.
        """
        plain = [well_formed(text) for text in texts]
        with sound(f"{self._name}: fails on a text"):
            encodings = self._plain.encode_batch_fast(plain, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def id_of(self, token: str) -> int:
        """Id of a special token or marker.

        Raises:
            CheckpointError: the tokenizer has no such token.
        """
        with sound(f"{self._name}: fails on {brief(token)}"):
            token_id: int | None = self.full.token_to_id(token)
        if token_id is None:
            raise CheckpointError(f"{self._name}: has no token {brief(token)}")
        return token_id

    def frame(self, token: str) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a sequence, seen on that one token.

        BERT's, for example, gives ``([id of CLS], [id of SEP])``.

        Raises:
            CheckpointError: the tokenizer has no such token, or takes it apart.
        """
        with sound(f"{self._name}: fails on {brief(token)}"):
            ids: list[int] = self.full.encode(token).ids
        if (wanted := self.id_of(token)) not in ids:
            raise CheckpointError(f"{self._name}: takes its own token {brief(token)} apart")
        place = ids.index(wanted)
        return ids[:place], ids[place + 1 :]


def read_tokenizer(file: Path) -> Tokenizer:
    """A ``tokenizer.json`` as it is.

    Raises:
        CheckpointError: the file cannot be read as one.
    """
    refuse_pointer(file)
    unreadable = f"{file}: not a readable tokenizer.json"
    with sound(unreadable):
        content = file.read_bytes()
        told = parsed(content)
    held_to(TokenizerFile, told, unreadable)
    with sound(unreadable):
        return Tokenizer.from_str(content.decode("utf-8"))


@contextmanager
def sound(otherwise: str) -> Iterator[None]:
    """Turn what the library raises into one of our errors, with these words in front."""
    try:
        yield
    except Exception as error:  # the library raises plain Exception for whatever is wrong
        raise CheckpointError(f"{otherwise}: {reason(error)}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # it gives up; derived from BaseException
            raise
        raise CheckpointError(f"{otherwise}: {reason(error)}") from error


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


def both_ends(ids: list[int], room: int) -> list[int]:
    """At most `room` of the ids: three fifths from the beginning, the rest from the end.

    >>> both_ends([1, 2, 3, 4, 5, 6, 7], room=5)
    [1, 2, 3, 6, 7]
    """
    if len(ids) <= room:
        return ids
    head = -(-3 * room // 5)
    return ids[:head] + ids[len(ids) - (room - head) :]


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
