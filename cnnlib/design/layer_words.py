"""The name of a layer in words: ``features.pool5`` is the fifth pooling layer."""

from __future__ import annotations

import re

_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
# What the layers of one kind are called; {} is the place of a convolution or a linear layer.
_NUMBERED = {
    "conv": "the {} convolution",
    "pool": "the {} pooling layer",
    "block": "the {} block",
    "fc": "the {} linear layer",
    "norm": "the norm of the {} convolution",
    "act": "the activation of the {} convolution",
    "drop": "the dropout of the {} convolution",
}
_SINGLE = {
    "stem_conv": "the convolution of the stem",
    "stem_norm": "the norm of the stem",
    "stem_act": "the activation of the stem",
    "stem_pool": "the pooling after the stem",
    "gap": "the global average",
    "flatten": "the flattening",
    "before.norm": "the norm before the convolutions",
    "before.act": "the activation before the convolutions",
    "shortcut.conv": "the convolution of the shortcut",
    "shortcut.norm": "the norm of the shortcut",
    "shortcut.pad": "the shortcut",
    "sum": "the sum",
    "norm": "the norm after the last block",
    "act": "the activation after the last block",
}


def layer_in_words(name: str) -> str:
    """Return the name of a layer in words.

    Args:
        name: Of a layer of a plan.

    Example:
        >>> layer_in_words("features.block3.main.conv2")
        'the second convolution of the third block'
    """
    part, *path = name.split(".")
    words = []
    if path[0].startswith("block"):
        words = [_numbered(path.pop(0))]
        if not path:
            return words[0]
    if path[0] == "main":
        path.pop(0)
    last = ".".join(path)
    if last == "act" and words:
        text = "the activation of the sum"
    elif last in _SINGLE:
        text = _SINGLE[last]
    else:
        text = _numbered(last)
        if part == "classifier":
            text = text.replace("convolution", "linear layer")
    return " of ".join([text, *words])


def start_with(name: str) -> str:
    """Return the name of a layer in words, for the start of a sentence."""
    words = layer_in_words(name)
    return words[0].upper() + words[1:]


def _numbered(name: str) -> str:
    """Return the words for a kind with a number: ``pool5``."""
    kind, number = re.fullmatch(r"([a-z]+)([0-9]+)", name).groups()  # type: ignore[union-attr]
    return _NUMBERED[kind].format(_ordinal(int(number)))


def _ordinal(number: int) -> str:
    """Return the ordinal of a number from 1: ``first``, ``twelfth``, ``13th``, ``21st``."""
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 // 10 != 1 else 0, "th")
    return f"{number}{ending}"
