from typing import Any

import numpy as np

def rankdata(a: Any, method: str = ..., *, axis: int | None = ...) -> np.ndarray: ...
