"""Debris of markup in a text."""

from __future__ import annotations

import html
import random

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.pieces import words

__all__ = ["markup_noise"]

_DEBRIS = (
    *("<br>", "</div>", "<p>", "</span>", '<div class="c">', "<td>", "</li>", "<!--", "-->"),
    *("&nbsp;", "&amp;", "&#39;", "&quot;", "&lt;", "&gt;", "\\n", "\\n\\n", "\\t", "\\u00e9"),
    *(
        "**",
        "__",
        "##",
        "```",
        "|---|",
        "[](",
        "![]()",
        "~~",
        "{{",
        "}}",
        "{%",
        "$$",
        "\\[",
        "\\\\",
    ),
    *("</s>", "<s>", "<unk>", "<pad>", "[MASK]", "[CLS]", "<|endoftext|>", "<0x0A>", "▁", "Ġ"),
    *("]]>", "<![CDATA[", "xmlns=", "style=", "href=", "\\x00", "%20", "%0A", "\ufffd", "@@"),
)


def markup_noise(case: Case, chance: random.Random) -> str | None:
    """The answer with debris scattered in it, or escaped as a whole."""
    text = case.answer.strip()
    if not text:
        return None
    way = chance.choice(["scattered", "scattered", "scattered", "escaped", "encoded"])
    if way == "escaped":
        escaped = html.escape(text).replace("\n", "<br/>")
        return f"<p>{escaped}</p>" if escaped == text else escaped
    if way == "encoded":
        inner = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
        return f'{{"text": "{inner}'
    pieces = words(text)
    kinds = chance.sample(_DEBRIS, chance.randint(1, 6))
    for _ in range(chance.randint(3, 6 + len(pieces) // 6)):
        pieces.insert(chance.randint(0, len(pieces)), chance.choice(kinds))
    return "".join(pieces)
