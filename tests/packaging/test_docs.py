"""What the documentation shows is true: examples run, commands parse, links lead somewhere.

The convention: a ``python`` block runs after the blocks above it in its file, and prints what the
comments behind its ``print(...)`` lines say. A block that needs a download or an optional package
is marked ``python notest``: it must compile, and what it imports of ours must exist. In ``sh``
blocks, lines that start with ``blended-llm`` must be commands that the program understands.
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from blender_core.cli import app
from blender_core.evaluation.metrics import METRICS
from blender_core.ranking.aggregation import AGGREGATIONS
from blender_core.ranking.schedules import SCHEDULES
from blender_core.ranking.similarity import SIMILARITIES

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]

FENCE = re.compile(r"^```(?P<info>.*)\n(?P<content>(?s:.*?))^```$", re.MULTILINE)
PRINTED = re.compile(r"^print\(.*\)  # (.*)$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
OURS = ("blender_core", "langchain_blender", "llamaindex_blender")


@dataclass(frozen=True)
class Block:
    info: str
    content: str
    line: int

    def code(self, document: Path) -> Any:
        """Compiled so that a traceback shows the line of the document."""
        return compile("\n" * self.line + self.content, str(document), "exec", dont_inherit=True)


def blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [
        Block(match["info"], match["content"], text.count("\n", 0, match.start("content")))
        for match in FENCE.finditer(text)
    ]


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def of_kind(*infos: str) -> list[Path]:
    return [doc for doc in DOCUMENTS if any(block.info in infos for block in blocks(doc))]


def name(document: Path) -> str:
    return document.name


@pytest.mark.parametrize("document", of_kind("python"), ids=name)
def test_examples_run_and_print_what_they_say(document, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(document):
        if block.info == "python":
            exec(block.code(document), namespace)  # noqa: S102  (our own documents)
            assert capsys.readouterr().out.splitlines() == PRINTED.findall(block.content)


@pytest.mark.parametrize("document", of_kind("python notest"), ids=name)
def test_examples_that_cannot_run_here_compile_and_import_what_exists(document):
    for block in blocks(document):
        if block.info != "python notest":
            continue
        block.code(document)
        for node in ast.walk(ast.parse(block.content)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith(OURS):
                for alias in node.names:
                    assert hasattr(import_module(str(node.module)), alias.name), alias.name


@pytest.mark.parametrize("document", of_kind("sh"), ids=name)
def test_commands_are_understood(document):
    program: Any = get_command(app)
    for block in blocks(document):
        script = block.content.replace("\\\n", " ")  # a command may go on behind a backslash
        for line in script.splitlines() if block.info == "sh" else ():
            if line.startswith("blended-llm"):
                _, verb, *arguments = shlex.split(line, comments=True)
                # Parsed, not run; an unknown option or a missing one raises.
                program.commands[verb].make_context(verb, arguments)


@pytest.mark.parametrize(
    ("names", "page"),
    [
        (SCHEDULES, "ranking.md"),
        (AGGREGATIONS, "ranking.md"),
        (SIMILARITIES, "ranking.md"),
        (METRICS, "evaluation.md"),
    ],
)
def test_every_part_with_a_name_is_explained(names, page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    quotes = ("`{}`", '`"{}"`', '"{}"')
    missing = [n for n in names if not any(quote.format(n) in text for quote in quotes)]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_fences_are_of_a_known_kind(document):
    known = {"python", "python notest", "sh", "json", "text", "bibtex", "{toctree}"}
    assert {block.info for block in blocks(document)} <= known
    assert not re.search("^ *```", prose(document), re.MULTILINE), "a fence is not closed"


COMMAND_LINE = ROOT / "docs" / "reference" / "command-line.md"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document):
    for link in LINK.findall(prose(document)):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        if target == COMMAND_LINE:  # the site writes it from the program
            continue
        assert target.exists(), link
        if anchor:
            assert anchor in map(slug, HEADING.findall(prose(target))), link


def slug(heading: str) -> str:
    """The anchor that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
