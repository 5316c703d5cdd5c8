"""The user's cache: folders that are made once and found again, whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from blender_core.errors import NotSavedError
from blender_core.validation import reason

__all__ = ["made_once", "user_cache"]


def user_cache() -> Path:
    """Where this package may keep what it can make again; it may not be there yet.

    It is ``blended-llm`` in the folder that ``XDG_CACHE_HOME`` names, else in the system's own.
    """
    if (named := os.environ.get("XDG_CACHE_HOME")) and Path(named).is_absolute():
        home = Path(named)
    elif sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        home = Path(local)
    elif sys.platform == "darwin":
        home = Path("~/Library/Caches").expanduser()
    else:
        home = Path("~/.cache").expanduser()
    return home / "blended-llm"


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name in the user's cache; made, if it is not there.

    It is made under another name and renamed, so whoever finds it finds all of it, also where two
    processes make it at the same time.

    Args:
        name: of the folder.
        make: fills an empty folder.

    Raises:
        NotSavedError: it cannot be written.
    """
    folder = user_cache() / name
    if folder.is_dir():
        return folder
    partial = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        make(partial)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        if not folder.is_dir():  # else another process was faster
            raise NotSavedError(
                f"{folder} cannot be written: {reason(error)}. Make room, or name another place "
                "with the environment variable XDG_CACHE_HOME"
            ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return folder
