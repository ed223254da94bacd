"""How far a network's float32 sum may be from the sum of the numbers that are shown for it."""

import numpy as np

from cnnlib.records.probe import Window


def tolerance(window: Window) -> float:
    """Return the largest accepted difference of ``window.output`` from ``window.value``."""
    return 1e-5 * (1 + float(np.abs(window.products[np.isfinite(window.products)]).sum()))
