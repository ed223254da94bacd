"""Activations, norms, poolings, blocks and initialisations.

``torch_name`` is the name of a class in ``torch.nn`` (of a function in ``torch.nn.init`` for
initialisations), and "" where there is nothing to build. ``counted`` gives what other tools count:
tool -> operations for each value of the layer's input; a tool that is missing does not count it.
The tools' names are those of `cnnlib.design.other_tools`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cnnlib.vocabulary.entry import Entry, table


@dataclass(frozen=True, slots=True)
class Parameter(Entry):
    """A parameter of an activation; its name is that of torch's argument.

    Args:
        default: Torch's default.
        below: A number may be from 0 to less than this.
        choices: For a text: its values, each with its label.
    """

    help: str
    default: float | str
    below: float = 10.0
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Activation(Entry):
    """An activation.

    Args:
        saves_output: Whether the backward pass needs its output; the others need their input.
        saturates: Whether its slope falls to 0 on both sides, so that deep stacks learn slowly.
    """

    torch_name: str
    params: tuple[Parameter, ...] = ()
    saves_output: bool = False
    saturates: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Norm(Entry):
    """A normalisation with a scale and a shift per channel.

    Args:
        word: As it is written in a sentence: ``batch norm``.
        groups: Groups of channels that share mean and variance: as many as there are channels,
            one, or the number that the design says.
        is_per_image: Whether each image has its own mean and variance; otherwise the batch has one,
            and evaluation uses running statistics, which are buffers.
        takes_groups: Whether torch's class takes the number of groups before the channels.
        options: Other arguments of torch's class: name, value, torch's default.
        saved_statistics: Values that the backward pass needs for each mean.
        gives_view: Whether torch's output is a view, which is better not overwritten: autograd
            would copy the gradient of the whole.
    """

    word: str
    torch_name: str
    groups: Literal["channels", "one", "design"] = "channels"
    is_per_image: bool = True
    takes_groups: bool = False
    options: tuple[tuple[str, bool, bool], ...] = ()
    saved_statistics: int = 2
    gives_view: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pooling(Entry):
    """A pooling with a square window.

    Args:
        short: A shorter label; its lower case is used in sentences.
        reduce: What becomes of a window: its largest value, or the mean of its values.
        has_dilation: Whether its window may be dilated.
        saves_indices: Whether the backward pass needs the place of each result (int64).
    """

    short: str
    torch_name: str
    reduce: Literal["max", "mean"]
    has_dilation: bool = False
    saves_indices: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block(Entry):
    """How convolutions are connected.

    Args:
        layer_label: Of one block.
        convs: Convolutions under one skip, where a group is longer; 0 has no skips.
    """

    layer_label: str = ""
    convs: int = 0


@dataclass(frozen=True, slots=True)
class Initialisation(Entry):
    """A rule for the random weights before training; biases begin at 0.

    Args:
        torch_name: "" leaves the weights as torch's modules draw them.
    """

    torch_name: str
    options: tuple[tuple[str, str], ...] = ()


NONE = "none"  # the name of no activation and of no norm

ACTIVATIONS = table(
    Activation("relu", "ReLU", "ReLU", saves_output=True, counted={"ptflops": 2, "calflops": 1}),
    Activation(
        "lrelu",
        "Leaky ReLU",
        "LeakyReLU",
        (
            Parameter(
                "negative_slope",
                "Slope below zero",
                "Leaky ReLU multiplies negative values by this.",
                0.01,
            ),
        ),
        counted={"ptflops": 1, "calflops": 1},
    ),
    Activation("tanh", "Tanh", "Tanh", saves_output=True, saturates=True),
    Activation("sigmoid", "Sigmoid", "Sigmoid", saves_output=True, saturates=True),
    Activation(
        "elu",
        "ELU",
        "ELU",
        (Parameter("alpha", "Alpha", "For large negative values, ELU approaches −alpha.", 1.0),),
        counted={"ptflops": 2, "calflops": 1},
    ),
    Activation(
        "gelu",
        "GELU",
        "GELU",
        (
            Parameter(
                "approximate",
                "GELU formula",
                "The exact function, or its approximation with tanh.",
                "none",
                choices={"none": "Exact", "tanh": "Tanh"},
            ),
        ),
        counted={"ptflops": 2, "calflops": 1},
    ),
    Activation("silu", "SiLU", "SiLU", counted={"ptflops": 1, "calflops": 1}),
    Activation("mish", "Mish", "Mish"),
    Activation("hardswish", "Hardswish", "Hardswish"),
    Activation(NONE, "None", ""),
)

NORMS = table(
    Norm(NONE, "None", "no norm", ""),
    Norm(
        "batch",
        "Batch norm",
        "batch norm",
        "BatchNorm2d",
        is_per_image=False,
        counted={"fvcore": 2, "ptflops": 2, "calflops": 2},
    ),
    Norm(
        "layer",
        "Layer norm",
        "layer norm",
        "GroupNorm",
        groups="one",
        takes_groups=True,
        counted={"fvcore": 5, "ptflops": 2, "calflops": 5},
    ),
    Norm(
        "group",
        "Group norm",
        "group norm",
        "GroupNorm",
        groups="design",
        takes_groups=True,
        counted={"fvcore": 5, "ptflops": 2, "calflops": 5},
    ),
    Norm(
        "instance",
        "Instance norm",
        "instance norm",
        "InstanceNorm2d",
        options=(("affine", True, False),),
        saved_statistics=3,  # torch repeats the scale for each image
        gives_view=True,
        counted={"fvcore": 5, "ptflops": 2, "calflops": 5},
    ),
)

POOLINGS = table(
    Pooling(
        "max",
        "Max pooling",
        "Max pool",
        "MaxPool2d",
        "max",
        has_dilation=True,
        saves_indices=True,
        counted={"ptflops": 2, "calflops": 1},
    ),
    Pooling(
        "avg",
        "Average pooling",
        "Average pool",
        "AvgPool2d",
        "mean",
        counted={"ptflops": 2, "calflops": 1},
    ),
)

BLOCKS = table(
    Block("plain", "Plain"),
    Block("residual", "Residual", "Residual block", 2),
    Block("bottleneck", "Bottleneck", "Bottleneck block", 3),
)

INITIALISATIONS = table(
    Initialisation("default", "PyTorch's default", ""),
    Initialisation("he", "He", "kaiming_normal_", (("nonlinearity", "relu"),)),
    Initialisation("xavier", "Xavier", "xavier_uniform_"),
    Initialisation("lecun", "LeCun", "kaiming_normal_", (("nonlinearity", "linear"),)),
    Initialisation("orthogonal", "Orthogonal", "orthogonal_"),
)
