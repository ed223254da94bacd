"""Results of inspecting a network, as plain numpy arrays."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE = 1e-5
OOD_FRACTION = 0.05  # share of training pictures that the threshold rates as OOD


def encode_float32(values: np.ndarray | float) -> str:
    """Return values as base64 of little-endian float32."""
    return b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")


def encode_uint8(values: np.ndarray) -> str:
    """Return pictures or maps of uint8 as base64."""
    return b64encode(np.ascontiguousarray(values, np.uint8).tobytes()).decode("ascii")


@dataclass(frozen=True, eq=False)
class Window:
    """The computation of one output value of a layer.

    Args:
        patch: C x kh x kw, float64: inputs in the window; padding is 0 (-inf under a maximum).
        products: C x kh x kw: the patch times the kernel; under a maximum the patch itself.
        total: Sum of all products, or their maximum.
        output: The network's value at this position.
    """

    row: int
    column: int
    patch: np.ndarray
    products: np.ndarray
    total: float
    bias: float
    output: float

    @property
    def value(self) -> float:
        """The sum of the displayed numbers."""
        return self.total + self.bias


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """All inputs and weights of one output channel, to show the computation of any value.

    A convolution has its own kernel; an average pooling has a kernel of equal weights on one map;
    the sum of a skip has a 1 x 1 kernel of ones on two maps.

    Args:
        inputs: C x H x W, float32.
        input_names: One name per input map.
        kernel: C x kh x kw, float32.
        padding: Pixels added above, and on the left unless `left_padding` says otherwise.
        reduce: "sum" of patch times kernel, or "max" of the patch.
        output: H' x W', float32: the network's values.
        after: Names and H' x W' values of the norms and activations that follow directly.
    """

    layer: str
    channel: int
    inputs: np.ndarray
    input_names: tuple[str, ...]
    kernel: np.ndarray
    bias: float
    stride: int
    padding: int
    dilation: int
    reduce: Literal["sum", "max"]
    output: np.ndarray
    after: tuple[tuple[str, np.ndarray], ...] = ()
    left_padding: int | None = None

    def at(self, row: int, column: int) -> Window:
        """The computation of one value of the output.

        Raises:
            IndexError: The position is outside the output.
        """
        rows, columns = self.output.shape
        if not (0 <= row < rows and 0 <= column < columns):
            raise IndexError(
                f"row {row}, column {column} is outside the output of {rows} x {columns}"
            )
        patch = self._patch(row, column)
        products = patch if self.reduce == "max" else patch * self.kernel.astype(np.float64)
        total = float(products.max() if self.reduce == "max" else products.sum())
        output = float(self.output[row, column])
        return Window(row, column, patch, products, total, self.bias, output)

    def packed(self) -> dict[str, Any]:
        """The sizes, the inputs, the kernel and the output, as common/sums.js reads them."""
        count, height, width = self.inputs.shape
        return {
            "count": count,
            "height": height,
            "width": width,
            "kernel_height": self.kernel.shape[1],
            "kernel_width": self.kernel.shape[2],
            "rows": self.output.shape[0],
            "columns": self.output.shape[1],
            "stride": self.stride,
            "padding": self.padding,
            "left_padding": self._left,
            "dilation": self.dilation,
            "reduce": self.reduce,
            "inputs": encode_float32(self.inputs),
            "kernel": encode_float32(self.kernel),
            "output": encode_float32(self.output),
        }

    @property
    def _left(self) -> int:
        return self.padding if self.left_padding is None else self.left_padding

    def _patch(self, row: int, column: int) -> np.ndarray:
        """The inputs in the window of an output position."""
        _, height, width = self.inputs.shape
        empty = -np.inf if self.reduce == "max" else 0.0
        patch = np.full(self.kernel.shape, empty)
        ys = row * self.stride - self.padding + self.dilation * np.arange(self.kernel.shape[1])
        xs = column * self.stride - self._left + self.dilation * np.arange(self.kernel.shape[2])
        on_y, on_x = (ys >= 0) & (ys < height), (xs >= 0) & (xs < width)
        patch[np.ix_(range(len(patch)), on_y, on_x)] = self.inputs[:, ys[on_y]][:, :, xs[on_x]]
        return patch


@dataclass(frozen=True, eq=False)
class Predicted:
    """The predictions of a run on the test pictures, in the order of the split.

    Args:
        labels, predicted: N, int64.
        probabilities: N x classes, float32 (stored with the precision of float16).
    """

    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class: N, float32."""
        return self.probabilities[np.arange(len(self.predicted)), self.predicted]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Accuracy of a network by confidence, in bins.

    Args:
        confidence, accuracy: Means per bin, 0..1; 0 where a bin is empty.
        counts: Pictures per bin.
        error: Expected calibration error, 0..1.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray
    error: float


@dataclass(frozen=True, eq=False)
class LayerGradient:
    """The gradient of the loss with respect to one layer's weights.

    Args:
        weight_norm, norm: Euclidean lengths of the weights and of their gradient.
        rms: Root mean square of the gradient's values.
        quantiles: 5, 25, 50, 75 and 95 % quantiles of their absolute values.
    """

    layer: str
    weight_norm: float
    norm: float
    rms: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Completeness:
    """What integrated gradients should add up to, and what they add up to.

    Args:
        total: Sum of the map.
        difference: Score of the picture minus the score of the grey picture.
        points: Number of gradients on the way from the grey picture.
    """

    total: float
    difference: float
    points: int

    @property
    def gap(self) -> float | None:
        """The error of the sum, as a fraction of the difference; None if the difference is 0."""
        return abs(self.total - self.difference) / abs(self.difference) if self.difference else None

    @property
    def sentence(self) -> str:
        """The interpretation, in one sentence."""
        gap = "" if self.gap is None else f", a gap of {percent(self.gap)}"
        return (
            f"The map is approximate: it is computed from {self.points} gradients, and adds up to "
            f"{self.total:.6g} instead of {self.difference:.6g}, the score of the picture minus "
            f"that of a grey picture{gap}."
        )


_TIE = 1e-6  # a smaller difference of mean probabilities is the rounding of float32
_LEAST_DECREASE = 0.1  # below the mean of the controls; maps of untrained networks have less


@dataclass(frozen=True, eq=False)
class SanityCheck:
    """The class's probability while pixels are deleted: in the map's order and in control orders.

    Args:
        fractions: Fractions of deleted pixels, 0..1.
        ordered: Probability at each fraction, in the map's order.
        copies: The same for shifted, turned and mirrored copies of the map: copies x fractions.
        random_weights: The same for maps of networks with random weights: networks x fractions.
        correlation: Mean rank correlation of the map with those of random weights.
    """

    fractions: np.ndarray
    ordered: np.ndarray
    copies: np.ndarray
    random_weights: np.ndarray
    correlation: float

    @property
    def beaten_copies(self) -> int:
        """Copies in whose order the probability falls more slowly."""
        return self._beaten(self.copies)

    @property
    def beaten_random_weights(self) -> int:
        """Networks with random weights in whose map's order the probability falls more slowly."""
        return self._beaten(self.random_weights)

    @property
    def is_informative(self) -> bool:
        """Whether it falls faster than in every control order, and clearly below their means."""
        beaten = self.beaten_copies, self.beaten_random_weights
        beats_all = beaten == (len(self.copies), len(self.random_weights))
        controls = min(self.copies.mean(), self.random_weights.mean())
        return beats_all and bool(self.ordered.mean() <= (1 - _LEAST_DECREASE) * controls)

    @property
    def sentence(self) -> str:
        """The interpretation, in one sentence."""
        count = len(self.copies) + len(self.random_weights)
        beaten = self.beaten_copies + self.beaten_random_weights
        faster = "the probability of the class falls faster in this map's order than in "
        if self.is_informative:
            return f"Informative: {faster}that of each of {count} maps that know nothing."
        if beaten == count:
            share = percent(_LEAST_DECREASE, 0)
            found = f"that of each of {count} maps that know nothing, but by less than {share}."
        else:
            found = f"those of only {beaten} of {count} maps that know nothing."
        return f"Not informative: {faster}{found}"

    @property
    def details(self) -> str:
        """The numbers behind the sentence, as another sentence."""
        return (
            f"The probability is {self.ordered.mean():.2f} on average in the map's order, "
            f"{self.copies.mean():.2f} in those of {len(self.copies)} shifted, turned and mirrored "
            f"copies ({self.beaten_copies} fall more slowly), and "
            f"{self.random_weights.mean():.2f} in those of maps of {len(self.random_weights)} "
            f"networks with random weights ({self.beaten_random_weights} fall more slowly)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values."""
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: np.asarray(value).tolist() for name, value in values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SanityCheck:
        """Read the values of `to_dict`."""
        arrays = {name: np.array(value) for name, value in values.items()}
        return cls(**arrays | {"correlation": values["correlation"]})

    def _beaten(self, curves: np.ndarray) -> int:
        return int((curves.mean(axis=1) > self.ordered.mean() + _TIE).sum())


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of the loss on one picture.

    Args:
        weights: Gradient by parameter name, in the parameter's shape.
        maps: Gradient by step name, ``input`` first: C x H x W or features.
    """

    loss: float
    weights: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]


@dataclass(frozen=True)
class OodErrorRate:
    """Errors on one kind of OOD pictures.

    Args:
        count: Number of pictures.
        missed: Share of them that was taken for real ones.
    """

    count: int
    missed: float


@dataclass(frozen=True, eq=False)
class OodDetector:
    """A detector of pictures that belong to no class, with its measured error rates.

    Args:
        known: Features of training pictures, N x features, float32, each row of length 1.
        quantiles: Distances of other training pictures to these, sorted.
        threshold: Pictures at a greater distance are rated as OOD.
        real_count: Test pictures that were measured.
        false_alarms: Share of them that is rated as OOD although they are real.
        error_rates: Errors by kind of OOD pictures.
    """

    known: np.ndarray
    quantiles: np.ndarray
    threshold: float
    real_count: int
    false_alarms: float
    error_rates: Mapping[str, OodErrorRate]

    def farther_than(self, distance: float) -> float:
        """Share of training pictures at a smaller distance, 0..1."""
        return float(np.searchsorted(self.quantiles, distance) / len(self.quantiles))

    def is_ood(self, distance: float) -> bool:
        """Whether the distance is above the threshold."""
        return distance > self.threshold
