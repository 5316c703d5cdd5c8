"""Numbers without the noise that a solver leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["rounded"]


def rounded(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers without the noise a solver leaves, so that candidates with equal results tie."""
    # Adding 0 makes -0 and 0 one number.
    result: NDArray[np.float64] = np.round(numbers, 9) + 0.0
    return result
