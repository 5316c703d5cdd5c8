"""A text piece by piece, while a model writes it in a thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

from blender_core.comparison.nonanswers import is_nonanswer

__all__ = ["Seen", "TokenStreamer", "Writing", "streamed"]

_FINAL = re.compile(r"\A.*[^\s'\ufffd]{2}", re.DOTALL)
"""The part of a decoded text that later tokens cannot change.

Tidying removes spaces around apostrophes and before punctuation, and a character whose last bytes
are still to come is decoded as U+FFFD; neither reaches back over two other characters.
"""


class TokenStreamer:
    """What `generate` hands every new token to; it passes on what is final of the text.

    Args:
        decode: from all ids so far to the text so far.
        write: takes each piece.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], write: Callable[[str], None]
    ) -> None:
        self.written = 0
        self.abandoned = False
        self._decode = decode
        self._write = write
        self._ids: list[int] = []

    def put(self, ids: Any) -> None:
        """Take new token ids, a tensor of any shape.

        Raises:
            StopStreaming: nobody reads any more; generating ends with it.
        """
        if self.abandoned:
            raise StopStreaming
        self._ids.extend(ids.flatten().tolist())
        final = _FINAL.match(self._decode(self._ids))
        if final:
            self.write_rest(final[0])

    def end(self) -> None:
        """Called by `generate` after the last token; the rest is written from its result."""

    def write_rest(self, text: str) -> None:
        """Pass on what of the text has not been passed on."""
        if len(text) > self.written:
            self._write(text[self.written :])
            self.written = len(text)


class StopStreaming(Exception):  # noqa: N818 - no error: nobody reads any more
    """Ends the generation of a text that nobody reads."""


def streamed(
    generate: Callable[[TokenStreamer], Sequence[int]], decode: Callable[[Sequence[int]], str]
) -> Iterator[str]:
    """Yield a text while it is generated in a thread.

    The thread starts with the first piece asked for and is gone when the iterator ends, is closed
    or dropped.

    Args:
        generate: writes the ids to the streamer and returns all of them.
        decode: from ids to text.
    """
    pieces: SimpleQueue[str | BaseException | None] = SimpleQueue()
    streamer = TokenStreamer(decode, pieces.put)

    def work() -> None:
        try:
            streamer.write_rest(decode(generate(streamer)))
        except StopStreaming:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the text is read
            pieces.put(error)
        finally:
            pieces.put(None)

    thread = Thread(target=work, name="blended-llm-stream", daemon=True)
    thread.start()
    try:
        while (piece := pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        streamer.abandoned = True
        thread.join()


class Seen(str):
    """A fused text of which a reader has seen a part: it cannot be taken back."""

    __slots__ = ()


class Writing:
    """A fused text on its way to a reader who sees it while it is written.

    Held back is what may still come to nothing, as another answer then takes its place: a text
    that is blank so far, and one that begins like a refusal until its first sentence has ended
    and says something.

    Attributes:
        text: all that was written.
        is_out: whether the reader has seen some of it.
    """

    def __init__(self) -> None:
        self.text = ""
        self.is_out = False

    @property
    def written(self) -> str:
        """The text, a `Seen` one if some of it is out."""
        return Seen(self.text) if self.is_out else self.text

    def take(self, piece: str) -> list[str]:
        """What the reader can be shown now that this piece is written."""
        self.text += piece
        if self.is_out:
            return [piece]
        self.is_out = not _may_say_nothing(self.text)
        return [self.text] if self.is_out else []

    def failed(self, error: Exception) -> Exception:
        """The error, as what became of the fusing.

        Raises:
            Exception: the error itself, if the reader has seen a part of the text.
        """
        if self.is_out:
            raise error
        return error


_OPENINGS = (
    *("i'm ", "i am ", "i don't ", "i do not ", "i can", "i could", "i was ", "i have no "),
    *("sorry", "unfortunately", "apologies", "as an ai", "there is no", "there isn't", "no "),
    *("none of the ", "the provided ", "the given ", "the context ", "based on the ", "n/a"),
    *("unknown", "error", "it is not ", "it's not ", "<think", "answer:", "let me "),
    *("es tut mir leid", "ich ", "leider ", "je ne ", "je suis ", "désolé", "lo siento", "no lo "),
    *(
        "申し訳",
        "すみません",
        "分かりません",
        "わかりません",
        "죄송",
        "모르",
        "извини",
        "к сожалению",
        "я не ",
    ),
    *("对不起", "抱歉", "很抱歉", "我不", "我无法", "无法"),
)
"""How texts that answer nothing begin, case folded; so do some that answer."""

_SENTENCE_ENDS = ".!?\n。！？"
_LONG_ENOUGH = 200


def _may_say_nothing(text: str) -> bool:
    """Whether a text that is being written may come to answer nothing."""
    said = text.strip().casefold().replace("’", "'")
    if not said or any(opening.startswith(said) for opening in _OPENINGS):
        return True
    if not said.startswith(_OPENINGS):
        return False
    ended = len(said) > _LONG_ENOUGH or any(mark in said for mark in _SENTENCE_ENDS)
    return not ended or is_nonanswer(text)
