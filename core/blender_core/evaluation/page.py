"""The frame of an HTML page that needs nothing else: no script, no network.

What stands on it is other people's text, so all text goes in escaped, characters that HTML cannot
hold are made visible, and the page forbids itself scripts and requests of any kind.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["page", "table", "text", "visible"]

_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem;
  color: #1c1e21; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #e3e5e8 }
th:first-child, td:first-child, th.name, td.name { text-align: left }
tr.break td { border-top: 2px solid #9aa0a6 }
small { color: #666; white-space: nowrap }
td.best { font-weight: 700 }
.wide { overflow-x: auto }
ul.notes { color: #6b4a00 }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A page of parts that are HTML already, as text to be written in UTF-8."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            _POLICY,
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{text(title)}</h1>",
            *(part for part in parts if part),
            "</body></html>",
        ]
    )


def text(value: object) -> str:
    """Any text, for HTML: escaped, and without what a page must not hold."""
    return visible(escape(str(value)))


def visible(words: str) -> str:
    """A text without what a page must not hold, not escaped."""
    return "".join(map(_visible, words))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; a row of one empty cell is a break."""
    lines = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"]
    lines += [f"<tr>{''.join(row)}</tr>" for row in rows]
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\n\t" or category not in ("Cc", "Cs", "Cf"):
        return character
    return f"\\u{ord(character):04x}"
