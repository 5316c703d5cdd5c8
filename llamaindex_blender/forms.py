"""The form of an answer: what is read by a program is picked, never fused into prose."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from typing import Any

from llama_index.core.agent.react.output_parser import ReActOutputParser
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.output_parsers.utils import extract_json_str
from pydantic import BaseModel

from blender_core.errors import describe
from blender_core.thoughts import without_thoughts

__all__ = ["Form", "for_programs"]

_FENCED = re.compile(r"^```\w*\n(.*)\n```$", re.DOTALL)
_SCHEMA = "Here's a JSON schema to follow:"
"""How LlamaIndex's programs begin to say what they want."""

_TYPES: dict[Any, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_STEP = re.compile(r"^Action:[ \t]*\S", re.MULTILINE)


class Form:
    """What answers have to be.

    Args:
        output_cls: they must hold such an object, if it is given.
        parse: what reads them, if there is such a thing; it raises where it cannot.

        question: what they answer. A JSON schema in it, as LlamaIndex's programs write one, says
            which keys an object has to have, and of which types.

    Without any of them, an answer that has the form of JSON or of a step of a ReAct agent, and
    cannot be read as such, is unfit.
    """

    def __init__(
        self,
        output_cls: type[BaseModel] | None = None,
        parse: Callable[[str], Any] | None = None,
        question: str = "",
    ) -> None:
        self.output_cls = output_cls
        self._parse = parse or _reader_of(question)
        if output_cls is not None:
            self._parse = PydanticOutputParser(output_cls).parse

    def unfit(self, text: str) -> str | None:
        """What is wrong with an answer, None where nothing is."""
        said = without_thoughts(text)
        try:
            if self._parse is not None:
                self._parse(said)
            elif _begins_as_json(said):
                json.loads(_bare(said))
            elif _STEP.search(said):
                ReActOutputParser().parse(said)
        except Exception as error:  # noqa: BLE001 - whatever a parser raises
            return f"cannot be read: {describe(error)}"
        return None

    def same(self, text: str) -> Hashable | None:
        """What is equal for answers that hold equal objects."""
        if self.output_cls is None:
            return None
        parsed: Any = PydanticOutputParser(self.output_cls).parse(without_thoughts(text))
        return str(parsed.model_dump_json())


def for_programs(text: str) -> bool:
    """Whether a program is to read it: JSON, or a step of a ReAct agent.

    >>> for_programs('{"a": 1}'), for_programs("Action: look"), for_programs("[1] and [2]")
    (True, True, False)
    """
    said = without_thoughts(text)
    if _STEP.search(said):
        return True
    try:
        return isinstance(json.loads(_bare(said)), dict | list)
    except ValueError:
        return False


def _reader_of(question: str) -> Callable[[str], Any] | None:
    """What holds an answer against the schema in the question; None where there is none."""
    text = question.partition(_SCHEMA)[2].lstrip()
    if text.startswith("{{"):  # as they leave it in the messages of a chat
        text = text.replace("{{", "{").replace("}}", "}")
    try:
        schema, _ = json.JSONDecoder().raw_decode(text)
        types = {name: about.get("type") for name, about in schema["properties"].items()}
        needed = schema.get("required", [])
    except (ValueError, TypeError, AttributeError, KeyError):
        return None

    def read(said: str) -> None:
        found = json.loads(extract_json_str(said))
        if missing := [name for name in needed if name not in found]:
            raise ValueError(f"has no {missing[0]!r}")
        for name, value in found.items():
            wanted = _TYPES.get(types.get(name), object)
            if not isinstance(value, wanted):
                raise ValueError(f"{name!r} is no {types[name]}")  # noqa: TRY004 - it was read

    return read


def _bare(text: str) -> str:
    fenced = _FENCED.match(text)
    return text if fenced is None else fenced[1]


def _begins_as_json(text: str) -> bool:
    return _bare(text).startswith("{") or text.startswith("```json")
