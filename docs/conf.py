"""How the site is made of these pages, of docstrings and of the program: ``make docs``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

from blender_core import __version__

HERE = Path(__file__).parent

project = "blended-llm"
author = "the contributors of blended-llm"
copyright = f"2026, {author}"  # noqa: A001  (Sphinx's name for it)
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_llms_txt",
]
exclude_patterns = ["_build"]

myst_heading_anchors = 3  # as code hosts make them

add_module_names = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}
napoleon_use_ivar = True
default_role = "py:obj"
suppress_warnings = [
    "ref.python",  # a name that is public in two places
]

html_theme = "pydata_sphinx_theme"
html_title = f"blended-llm {__version__}"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_sourcelink = False
llms_txt_title = "blended-llm"
llms_txt_summary = (
    "Ask several LLMs, compare their answers two by two, fuse the best. "
    "A Python package with adapters for LangChain and LlamaIndex."
)


PAGES = {
    HERE.parent / "README.md": "start",
    HERE.parent / "CONTRIBUTING.md": "contributing",
    HERE.parent / "CHANGELOG.md": "changes",
}
"""Files that code hosts show, and what they are called on the site."""

LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def adapt(_: Sphinx, name: str, content: list[str]) -> None:
    """Put the files of `PAGES` where they belong, and have links lead to pages of the site."""
    file = next((file for file, page in PAGES.items() if page == name), HERE / f"{name}.md")
    if file in PAGES:
        content[0] = file.read_text(encoding="utf-8")

    def link(match: re.Match[str]) -> str:
        text, path, anchor = match.groups(default="")
        target = (file.parent / path).resolve()
        if target in PAGES:
            target = HERE / f"{PAGES[target]}.md"
        if not target.is_relative_to(HERE):
            return text  # of the checkout, not of the site
        up = "../" * name.count("/")
        return f"[{text}]({up}{target.relative_to(HERE)}{anchor})"

    content[0] = LINK.sub(link, content[0])


def put_sources(app: Sphinx, failure: Exception | None) -> None:
    """Have the sources on the site, of which `llms.txt` is made, hold the files of `PAGES`."""
    if failure is None and app.builder.name == "html":
        for file, page in PAGES.items():
            source = app.outdir / "_sources" / f"{page}.md.txt"
            source.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """See Sphinx."""
    app.connect("source-read", adapt)
    app.connect("build-finished", put_sources, priority=100)  # before llms.txt is written


def write_command_line(page: Path) -> None:
    """Have typer describe the program, as it is now."""
    typer = [sys.executable, "-m", "typer", "blender_core.cli.app", "utils", "docs"]
    title = ["--name", "blended-llm", "--title", "The command line"]
    done = subprocess.run(  # noqa: S603  (our own words)
        [*typer, *title], check=True, capture_output=True, text=True
    )
    if not page.exists() or page.read_text(encoding="utf-8") != done.stdout:
        page.write_text(done.stdout, encoding="utf-8")


write_command_line(HERE / "reference" / "command-line.md")
