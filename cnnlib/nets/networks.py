"""`CNN` and `ResNet`: the networks of the course texts, with the texts' parameters.

Both convert their arguments to a `CNNSpec`, and are the `Network` of its plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec, checks
from cnnlib.nets.blocks import NOTHING
from cnnlib.nets.model import Network

# Parameter of torch's module -> field of the spec.
_CONV_PARAMS = {name: name for name in ("kernel_size", "stride", "padding", "dilation", "bias")}
_POOLING_PARAMS = {
    name: f"pool_{name}" for name in ("kernel_size", "stride", "padding", "dilation")
}


class CNN(Network):
    """A convolutional network: groups of P convolutions, each with a pool; then linear layers.

    ::

        [(CONV -> ACT) * P -> POOL] * (N/P) -> (FC -> ACT) * M -> FC

    Args:
        in_size: Channels, height and width of an image.
        channels: Output channels of each convolution (N of them).
        pool_every: Convolutions before each pooling (P); the last N mod P have no pooling.
        hidden_dims: Widths of the hidden linear layers (M of them).
        conv_params: Arguments of ``nn.Conv2d``: kernel_size (3 if not given), stride, padding,
            dilation, bias; each one value, or a list with one for each convolution.
        activation_type: A name of `cnnlib.vocabulary.layers.ACTIVATIONS`.
        activation_params: Arguments of the activation.
        pooling_type: ``"max"`` or ``"avg"``.
        pooling_params: Arguments of the pooling: kernel_size (2 if not given), stride, padding,
            dilation.

    Raises:
        SpecError: An unknown argument, a wrong value, or layers that do not fit.

    Example:
        >>> lenet5 = CNN((1, 28, 28), 10, [6, 16], 1, [120, 84], {"kernel_size": 3, "padding": 1})
        >>> sum(p.numel() for p in lenet5.parameters())
        106154
    """

    def __init__(
        self,
        in_size: Sequence[int],
        out_classes: int,
        channels: Sequence[int],
        pool_every: int,
        hidden_dims: Sequence[int],
        conv_params: Mapping[str, Any] = NOTHING,
        activation_type: str = "relu",
        activation_params: Mapping[str, Any] = NOTHING,
        pooling_type: str = "max",
        pooling_params: Mapping[str, Any] = NOTHING,
    ) -> None:
        values: dict[str, Any] = dict(
            in_size=in_size,
            out_classes=out_classes,
            channels=channels,
            pool_every=pool_every,
            hidden_dims=hidden_dims,
            activation=activation_type,
            activation_params=activation_params,
            pooling=pooling_type,
            **({"padding": 0} | _to_spec_fields("conv_params", conv_params, _CONV_PARAMS)),
            **_to_spec_fields("pooling_params", pooling_params, _POOLING_PARAMS),
        )
        spec = CNNSpec(**values)
        super().__init__(plan(spec))


class ResNet(Network):
    """A residual network: groups of P convolutions under a skip, each followed by a pool.

    ::

        [-> (CONV -> ACT) * P -> POOL] * (N/P) -> (FC -> ACT) * M -> FC
         \\------ SKIP ------/

    Args:
        batchnorm: Whether a batch norm is between two convolutions of a block.
        dropout: Probability that a channel is zeroed between two convolutions of a block.
        bottleneck: Whether a group with as many channels out as in, and at least three
            convolutions, becomes a bottleneck: its first and last entries are 1x1 convolutions.
        conv_params: As for `CNN`; but a block keeps the size, so kernels are odd, the stride is 1,
            and the padding, if given, is the one that keeps the size.

    The other arguments are those of `CNN`; the blocks are `ResidualBlock` and
    `ResidualBottleneckBlock`.

    Raises:
        SpecError: An unknown argument, one that a block does not allow, a wrong value, or layers
            that do not fit.
    """

    def __init__(
        self,
        in_size: Sequence[int],
        out_classes: int,
        channels: Sequence[int],
        pool_every: int,
        hidden_dims: Sequence[int],
        batchnorm: bool = False,
        dropout: float = 0.0,
        bottleneck: bool = False,
        conv_params: Mapping[str, Any] = NOTHING,
        activation_type: str = "relu",
        activation_params: Mapping[str, Any] = NOTHING,
        pooling_type: str = "max",
        pooling_params: Mapping[str, Any] = NOTHING,
    ) -> None:
        values: dict[str, Any] = dict(
            in_size=in_size,
            out_classes=out_classes,
            channels=channels,
            pool_every=pool_every,
            hidden_dims=hidden_dims,
            block="bottleneck" if bottleneck else "residual",
            norm="batch" if batchnorm else "none",
            dropout=dropout,
            activation=activation_type,
            activation_params=activation_params,
            pooling=pooling_type,
            **_to_spec_fields("conv_params", conv_params, _CONV_PARAMS),
            **_to_spec_fields("pooling_params", pooling_params, _POOLING_PARAMS),
        )
        spec = CNNSpec(**values)
        super().__init__(plan(spec))


def _to_spec_fields(name: str, given: Any, known: Mapping[str, str]) -> dict[str, Any]:
    """Convert arguments of a torch module to fields of the spec."""
    given = checks.keys(name, given, tuple(known))
    return {known[key]: value for key, value in given.items()}
