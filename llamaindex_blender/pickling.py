"""What cannot be pickled says so, and stays whole."""

from __future__ import annotations

import pickle  # only to write: nothing is ever read

from llama_index.core.schema import BaseComponent

__all__ = ["check_picklable"]


def check_picklable(component: BaseComponent) -> None:
    """Check that all fields can be pickled.

    LlamaIndex leaves out what cannot be, with a warning, and takes it out of the very object.

    Raises:
        TypeError: a field cannot be.
    """
    for name, value in component.__dict__.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise TypeError(
                f"a {type(value).__name__} cannot be pickled, {name!r} of a "
                f"{type(component).__name__}: {error}"
            ) from error
