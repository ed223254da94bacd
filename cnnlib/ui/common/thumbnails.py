"""Pictures as HTML with data URIs, without a request per picture."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from cnnlib.data.drawings import png

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

CLASSES_SHOWN = 12


def first_of_each_class(labels: np.ndarray, class_count: int) -> list[int]:
    """Return the index of the first picture of each class; classes without pictures are omitted."""
    found = []
    for label in range(class_count):
        matches = labels == label
        if matches.any():
            found.append(int(matches.argmax()))
    return found


def data_uri(image: np.ndarray) -> str:
    """Encode a picture (C x H x W, uint8, one or three channels) as a PNG data URI."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def strip_html(images: Sequence[np.ndarray], names: Sequence[str]) -> str:
    """Return the HTML of a wrapping row of pictures, unsmoothed, with names below."""
    figures = "".join(_figure_html(image, name) for image, name in zip(images, names, strict=True))
    columns = "grid-template-columns:repeat(auto-fill,minmax(44px,1fr))"
    return f'<div style="display:grid;gap:0.5rem;{columns}">{figures}</div>'


def _figure_html(image: np.ndarray, name: str) -> str:
    name = html.escape(name)
    return (
        '<figure style="margin:0;text-align:center;min-width:0">'
        f'<img src="{data_uri(image)}" alt="Example of class {name}" style="width:100%;'
        'aspect-ratio:1;image-rendering:pixelated;border-radius:4px;display:block">'
        '<figcaption style="font-size:0.75rem;opacity:0.75;overflow:hidden;text-overflow:ellipsis;'
        f'white-space:nowrap">{name}</figcaption></figure>'
    )
