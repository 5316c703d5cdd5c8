"""A checkpoint's chat template as the texts around one question and one answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blender_core.errors import CheckpointError, message_of
from blender_core.models.descriptions import TokenizerSettings
from blender_core.models.files import read_json
from blender_core.validation import held_to

__all__ = ["Template", "chat_template", "tokenizer_settings"]

_SPECIAL_TOKENS = (
    "bos_token", "cls_token", "eos_token", "mask_token", "pad_token", "sep_token", "unk_token",
)  # fmt: skip

_QUESTION, _ANSWER, _BLANK = "\ue000question\ue001", "\ue000answer\ue001", "\x0c"


@dataclass(frozen=True, slots=True)
class Template:
    """The text around question and answer.

    Attributes:
        before: the question.
        between: question and answer.
        after: the answer.
        trims: whether white space around question and answer is dropped.
        framed: whether the tokenizer adds its own tokens around all of it.
    """

    before: str
    between: str
    after: str
    trims: bool = False
    framed: bool = False


def chat_template(folder: Path) -> Template | None:
    """The checkpoint's chat template around one question and one answer, or None if it has none.

    The template sees placeholders instead of the texts: nothing in an answer can steer it.

    Raises:
        CheckpointError: the template cannot be used for a conversation of two turns.
    """
    source = _template_source(folder)
    if source is None:
        return None
    from blender_core.models.transformers_parts import render_jinja_template

    conversation = [
        {"role": "user", "content": _BLANK + _QUESTION + _BLANK},
        {"role": "assistant", "content": _BLANK + _ANSWER + _BLANK},
    ]
    try:
        (rendered,), _ = render_jinja_template(
            conversations=[conversation], chat_template=source, **_special_tokens(folder)
        )
    except Exception as error:  # a template is a program and can fail in any way
        raise CheckpointError(
            f"{folder}: the chat template fails on a user and an assistant turn: "
            f"{message_of(error)}"
        ) from error
    if rendered.count(_QUESTION) != 1 or rendered.count(_ANSWER) != 1:
        raise CheckpointError(f"{folder}: the chat template does not show each turn exactly once")
    before, rest = rendered.split(_QUESTION)
    between, after = rest.split(_ANSWER)
    return Template(
        before.removesuffix(_BLANK),
        between.removeprefix(_BLANK).removesuffix(_BLANK),
        after.removeprefix(_BLANK),
        trims=not before.endswith(_BLANK),
    )


def tokenizer_settings(folder: Path) -> TokenizerSettings:
    """The folder's tokenizer_config.json, empty if there is none.

    Raises:
        CheckpointError: a key has an impossible value.
    """
    file = folder / "tokenizer_config.json"
    return held_to(TokenizerSettings, read_json(file) if file.is_file() else {}, file)


def _template_source(folder: Path) -> str | None:
    """The checkpoint's chat template: a file of its own, or a key of the tokenizer's config."""
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    if (file := folder / "chat_template.json").is_file():
        source = read_json(file).get("chat_template")
    else:
        source = tokenizer_settings(folder).chat_template
    if isinstance(source, list):  # several, by name
        named = {one.get("name"): one.get("template") for one in source if isinstance(one, dict)}
        source = named.get("default")
    if source is None or source == "":
        return None
    if not isinstance(source, str):
        raise CheckpointError(f"{folder}: 'chat_template' is {type(source).__name__}, not a text")
    return source


def _special_tokens(folder: Path) -> dict[str, str]:
    """The texts of special tokens, under the names that templates call them by."""
    files = (folder / name for name in ("tokenizer_config.json", "special_tokens_map.json"))
    content = {
        key: value for file in files if file.is_file() for key, value in read_json(file).items()
    }
    named = {name: content.get(name) for name in _SPECIAL_TOKENS}
    texts = {name: t.get("content") if isinstance(t, dict) else t for name, t in named.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}
