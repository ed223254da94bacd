from typing import Any

import numpy as np

class CanvasResult:
    image_data: np.ndarray | None
    json_data: dict[str, Any] | None

def st_canvas(**kwargs: Any) -> CanvasResult: ...
