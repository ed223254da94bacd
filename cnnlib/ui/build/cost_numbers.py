"""The numbers of a cost, as tiles, with the change against a pinned design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from cnnlib.design.cost import Cost
from cnnlib.design.spec import CNNSpec
from cnnlib.ui.common.format import pixels
from cnnlib.units import format_size, short_count

LARGEST_WRITTEN_OUT = 9_999_999


@dataclass(frozen=True)
class Number:
    """One number of a cost.

    Args:
        value: Returns the number of a cost.
        format: Formats a value.
        less_is_better: None where neither is better.
    """

    label: str
    help: str
    value: Callable[[Cost], int]
    format: Callable[[float], str]
    less_is_better: bool | None = True


def format_whole(value: float) -> str:
    """Format a whole number: ``61,706``; from ten million on ``12.3 M``."""
    return f"{value:,.0f}" if value <= LARGEST_WRITTEN_OUT else short_count(value)


NUMBERS: tuple[Number, ...] = (
    Number(
        "Parameters",
        "Numbers that training adjusts. The running statistics of norms are not counted.",
        lambda cost: cost.params,
        format_whole,
    ),
    Number(
        "MACs",
        "Multiply-accumulate operations of convolutions and linear layers for one picture. Biases "
        "are not counted.",
        lambda cost: cost.macs,
        format_whole,
    ),
    Number(
        "Memory, training step",
        "All tensors that are in memory at the moment of a training step at which most are. The "
        "bar below More numbers shows them.",
        lambda cost: cost.training_bytes,
        format_size,
    ),
    Number(
        "FLOPs, forward",
        "Floating-point operations of the forward pass for one picture: two per MAC.",
        lambda cost: cost.flops,
        short_count,
    ),
    Number(
        "FLOPs, training step",
        "Forward and backward pass for the whole batch, counted like torch.utils.flop_counter.",
        lambda cost: cost.training_step_flops,
        short_count,
    ),
    Number(
        "Memory, weights",
        "Parameters and running statistics, four bytes each.",
        lambda cost: cost.weight_bytes,
        format_size,
    ),
    Number(
        "Memory, evaluation",
        "The same when a batch is classified without training: weights, pictures, outputs.",
        lambda cost: cost.evaluation_peak.bytes,
        format_size,
    ),
    Number(
        "Receptive field",
        "One value of the last feature map depends on a square of the picture with this side; next "
        "to it stands the longer side of the picture. It is larger than the picture where the "
        "square reaches into the padding around it.",
        lambda cost: cost.receptive_field,
        pixels,
        less_is_better=None,
    ),
)


MAIN_NUMBERS, OTHER_NUMBERS = NUMBERS[:3], NUMBERS[3:]
TILE_HEIGHT = 116  # with a difference, so that nothing moves when a design is pinned


def cost_numbers(numbers: Sequence[Number], cost: Cost, pinned: Cost | None, spec: CNNSpec) -> None:
    """Show numbers as a grid of tiles.

    Args:
        pinned: The cost of the pinned design, if there is one.
        spec: The design of `cost`.
    """
    with st.grid(3, min_column_width=150, gap="small"):
        for number in numbers:
            value = number.value(cost)
            is_field = number.less_is_better is None
            text = receptive_field_text(value, spec) if is_field else number.format(value)
            has_changed = pinned is not None and number.value(pinned) != value
            st.metric(
                number.label,
                text,
                delta=change_of(number, cost, pinned) if pinned else None,
                delta_color="inverse" if has_changed and not is_field else "off",
                delta_arrow="auto" if has_changed else "off",
                help=number.help if is_field else f"{number.help} Exact value: {value:,}.",
                border=True,
                height=TILE_HEIGHT,
            )


def receptive_field_text(size: int, spec: CNNSpec) -> str:
    """Format, as ``10 of 28 px``, a receptive field against the longer side of the picture."""
    if not spec.channels and not spec.stem:
        return "all pixels"
    return f"{size:,} of {max(spec.in_size[1:]):,} px"


def change_of(number: Number, cost: Cost, pinned: Cost) -> str:
    """Format the change against the pinned design: ``+1,234 (+2.1%)``."""
    now, before = number.value(cost), number.value(pinned)
    if now == before:
        return "±0"
    sign = "+" if now > before else "-"
    share = f" ({(now - before) / before:+.1%})" if before else ""
    return f"{sign}{number.format(abs(now - before))}{share}"
