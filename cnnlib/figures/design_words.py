"""A design in a few words: for a shelf, a pinned design, a row of a table."""

from __future__ import annotations

from cnnlib.design.spec import CNNSpec
from cnnlib.figures.labels import activation_word


def design_words(spec: CNNSpec) -> str:
    """``Residual, 60 convolutions of 16 to 64 channels, batch norm, global average, 1 × 28 × 28``.

    What is as in most networks (ReLU, flatten, no norm) is left out.
    """
    words = [*_convolutions(spec), *_settings(spec)]
    words.append(" × ".join(str(size) for size in spec.in_size))
    text = ", ".join(words)
    return text[0].upper() + text[1:]


def _convolutions(spec: CNNSpec) -> list[str]:
    """What the convolutional part is."""
    count = len(spec.channels)
    if not count:
        return ["no convolutions"]
    low, high = min(spec.channels), max(spec.channels)
    widths = f"{low} to {high} channels" if low < high else f"{low} channels"
    number = f"{count} convolutions of" if count > 1 else "one convolution of"
    return [*([spec.block] if spec.block != "plain" else []), f"{number} {widths}"]


def _settings(spec: CNNSpec) -> list[str]:
    """What differs from most networks, and the hidden layers."""
    words = [f"{spec.norm} norm"] if spec.norm != "none" and spec.channels else []
    words += [activation_word(spec.activation)] if spec.activation != "relu" else []
    words += ["global average"] if spec.head == "gap" else []
    if spec.hidden_dims:
        words.append("hidden " + ", ".join(str(width) for width in spec.hidden_dims))
    return words
