"""Run benchmarks: ``python -m benchmarks [name ...]``, all of them without a name."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = ("startup", "encoder", "rank", "batch_tokens", "mini", "schedules", "active", "langchain")


def main() -> None:
    names = sys.argv[1:] or NAMES
    for name in names:
        if name not in NAMES:
            sys.exit(f"no benchmark {name!r}; there are: {', '.join(NAMES)}")
    for name in names:
        module = import_module(f"benchmarks.{name}")
        print(f"\n== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        module.main()


main()
