"""Names of a package that are imported when they are first used: nothing heavy before."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["lazy"]

_LINE = re.compile(r"^from (\S+) import (\w+) as \2$", re.MULTILINE)


def lazy(
    package: str, file: str, apart: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """A package's ``__getattr__`` and ``__dir__`` (PEP 562), and its ``__all__``.

    The public names are those of the stub ``__init__.pyi``, which type checkers read: one line
    ``from MODULE import NAME as NAME`` for each.

    Args:
        package: its ``__name__``.
        file: its ``__file__``.
        apart: public names that a star import leaves out.
    """
    stub = Path(file).with_suffix(".pyi").read_text(encoding="utf-8")
    home = {name: module for module, name in _LINE.findall(stub)}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted(home), [name for name in home if name not in apart]
