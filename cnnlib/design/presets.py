"""The presets: networks of course texts and papers, as specs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.errors import SpecError


@dataclass(frozen=True, slots=True)
class Preset:
    """A network to start from.

    Args:
        title: Label in a menu.
        description: One sentence for a beginner.
        source: Citation.
        spec: For the image size and the classes of the source's dataset.
    """

    name: str
    title: str
    description: str
    source: str
    spec: CNNSpec

    def adapt(self, in_size: tuple[int, int, int], out_classes: int) -> CNNSpec:
        """Return the preset's spec for other images and classes (see `adapt`)."""
        return adapt(self.spec, in_size, out_classes)


def presets() -> tuple[Preset, ...]:
    """Return all presets, from the simplest to the largest."""
    return tuple(_PRESETS.values())


def preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        SpecError: There is no such preset.

    Example:
        >>> preset("lenet5").spec.channels
        (6, 16)
    """
    if name not in _PRESETS:
        raise SpecError(
            f"There is no preset {name!r}. The presets are: {', '.join(_PRESETS)}. "
            f"Choose one of them."
        )
    return _PRESETS[name]


def adapt(spec: CNNSpec, in_size: tuple[int, int, int], out_classes: int) -> CNNSpec:
    """Adapt a spec to the images and classes of a dataset; repair it where layers do not fit.

    Raises:
        SpecError: No repair was found.

    Example:
        >>> adapt(preset("cnn3").spec, in_size=(3, 4, 4), out_classes=2).pool_every
        2
    """
    adapted = replace(spec, in_size=in_size, out_classes=out_classes)
    try:
        plan(adapted)
    except SpecError as error:
        if error.repair is None:
            raise
        return replace(adapted, **error.repair)
    return adapted


_LECUN_1998 = 'LeCun et al., "Gradient-based learning applied to document recognition", 1998'
_HE_2016 = 'He et al., "Deep residual learning for image recognition", CVPR 2016'


def _cifar_resnet(depth: int, **changes: Any) -> CNNSpec:
    """Return a ResNet for CIFAR of 6 n + 2 layers (He et al. 2016, section 4.2)."""
    convs = (depth - 2) // 3
    spec = CNNSpec(
        in_size=(3, 32, 32),
        channels=(16,) * convs + (32,) * convs + (64,) * convs,
        pool_every=convs,
        bias=False,
        stem=Stem(16, bias=False),
        block="residual",
        block_convs=2,
        last_norm=True,
        downsample="stride",
        norm="batch",
        head="gap",
        init="he",
    )
    return replace(spec, **changes)


_PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="mlp",
            title="Perceptron, one hidden layer",
            description="A network without convolutions: every pixel is connected to each of "
            "100 hidden units.",
            source='Rumelhart, Hinton and Williams, "Learning representations by '
            'back-propagating errors", Nature 1986',
            spec=CNNSpec(hidden_dims=(100,)),
        ),
        Preset(
            name="mlp_deep",
            title="Perceptron, three hidden layers",
            description="Three hidden layers and many more parameters. It still does not know "
            "which pixels are neighbours.",
            source="Course texts: the multilayer perceptron that a first CNN is compared with",
            spec=CNNSpec(hidden_dims=(512, 256, 128)),
        ),
        Preset(
            name="lenet5",
            title="LeNet-style, 3 × 3",
            description="LeNet-5 with 3 × 3 kernels, ReLU and max pooling: two convolutions, three "
            "linear layers.",
            source=f"After {_LECUN_1998}",
            spec=CNNSpec(channels=(6, 16), hidden_dims=(120, 84)),
        ),
        Preset(
            name="lenet5_1998",
            title="LeNet-5",
            description="The classic CNN: two 5 × 5 convolutions with average pooling, then three "
            "linear layers, with tanh.",
            source=f"{_LECUN_1998}, with all maps connected, poolings without parameters, and a "
            "linear output layer",
            spec=CNNSpec(
                channels=(6, 16),
                kernel_size=5,
                padding=(2, 0),
                activation="tanh",
                pooling="avg",
                hidden_dims=(120, 84),
            ),
        ),
        Preset(
            name="cnn3",
            title="Three convolutions",
            description="The channels double each time pooling halves the height and width.",
            source="Course texts: a first deep CNN for MNIST",
            spec=CNNSpec(channels=(16, 32, 64), hidden_dims=(128,)),
        ),
        Preset(
            name="conv_maxpool",
            title="Convolutions with max pooling",
            description="Three wide convolutions with pooling, directly followed by the output "
            "layer.",
            source="Course texts: a CNN that halves its maps by max pooling",
            spec=CNNSpec(channels=(32, 64, 100)),
        ),
        Preset(
            name="conv_batchnorm",
            title="Strided convolutions with batch norm",
            description="Strided convolutions instead of pooling, batch norm, and global average "
            "pooling.",
            source="Course texts: the same channels, halved by stride; batch norm after Ioffe and "
            'Szegedy, "Batch normalization", ICML 2015',
            spec=CNNSpec(
                channels=(32, 64, 100),
                pool_every=0,
                stride=2,
                norm="batch",
                norm_place="conv-act-norm",
                head="gap",
            ),
        ),
        Preset(
            name="three_layer",
            title="Three layers",
            description="Two convolutions that keep the picture size, then one large linear layer.",
            source="Course texts: a three-layer CNN for CIFAR-10",
            spec=CNNSpec(
                in_size=(3, 32, 32),
                channels=(32, 16),
                pool_every=0,
                kernel_size=(5, 3),
                init="he",
            ),
        ),
        Preset(
            name="three_layer_wide",
            title="Three layers, wider",
            description="The same three layers, but with more channels: the linear layer is twice "
            "as large.",
            source="Course texts: a three-layer CNN for CIFAR-10",
            spec=CNNSpec(
                in_size=(3, 32, 32),
                channels=(16, 32),
                pool_every=0,
                kernel_size=(5, 3),
                init="he",
            ),
        ),
        Preset(
            name="resnet20",
            title="ResNet-20",
            description="Nine residual blocks: skip connections carry the gradient back to the "
            "first layer.",
            source=f"{_HE_2016}, section 4.2, with 1 × 1 projection shortcuts",
            spec=_cifar_resnet(20, shortcut_norm=True),
        ),
        Preset(
            name="resnet20_a",
            title="ResNet-20, shortcuts without parameters",
            description="As in the paper: where the maps shrink, shortcuts take every second pixel "
            "and add zeros.",
            source=f"{_HE_2016}, section 4.2, option A",
            spec=_cifar_resnet(20, shortcut="pad"),
        ),
        Preset(
            name="resnet32",
            title="ResNet-32, shortcuts without parameters",
            description="Fifteen residual blocks; the deeper network of the same paper.",
            source=f"{_HE_2016}, section 4.2, option A",
            spec=_cifar_resnet(32, shortcut="pad"),
        ),
        Preset(
            name="preact_resnet20",
            title="Pre-activation ResNet-20",
            description="Norm and ReLU come before each convolution, so that nothing stands "
            "between the skips.",
            source='He et al., "Identity mappings in deep residual networks", ECCV 2016, with '
            "1 × 1 projection shortcuts",
            spec=_cifar_resnet(20, preactivation=True, last_norm=False),
        ),
        Preset(
            name="resnet_bottleneck",
            title="Bottleneck ResNet",
            description="Each block reduces 64 channels to 16, convolves them, and expands them "
            "to 64 again.",
            source=f"Bottleneck blocks after {_HE_2016}, figure 5",
            spec=CNNSpec(
                in_size=(3, 32, 32),
                channels=(64, 16, 64) * 4,
                pool_every=3,
                block="bottleneck",
                norm="batch",
            ),
        ),
        Preset(
            name="cifar_fast",
            title="Fast ResNet for CIFAR-10",
            description="A small residual network that can be trained on colour pictures with two "
            "CPU cores.",
            source="CNN Lab",
            spec=CNNSpec(
                in_size=(3, 32, 32),
                channels=(32, 32, 64, 64, 128, 128),
                pool_every=2,
                bias=False,
                stem=Stem(24, bias=False, pool=True),
                block="residual",
                last_norm=True,
                shortcut_norm=True,
                downsample="stride",
                norm="batch",
                head="gap",
                init="he",
            ),
        ),
        Preset(
            name="mnist_fast",
            title="Fast network for MNIST",
            description="The first convolution has stride 2, which saves most of the computation. "
            "Reaches 99 % in seconds.",
            source="CNN Lab",
            spec=CNNSpec(
                channels=(32, 48),
                bias=False,
                stem=Stem(16, kernel_size=5, stride=2, bias=False),
                norm="batch",
            ),
        ),
        Preset(
            name="tiny99",
            title="Tiny network for 99 % on MNIST",
            description="Fewer than 9,000 parameters, and still 99 % correct on MNIST.",
            source="CNN Lab",
            spec=CNNSpec(channels=(8, 16, 32), bias=False, norm="batch"),
        ),
    )
}


def preset_of(spec: CNNSpec) -> str:
    """Return the name of the preset that a spec equals; "" for none.

    Presets are adapted to the spec's images and classes before they are compared.
    """
    same = (
        p.name for p in presets() if p.spec.channels == spec.channels and _is_preset(p.name, spec)
    )
    return next(same, "")


def _is_preset(name: str, spec: CNNSpec) -> bool:
    """Return whether a spec equals the adapted preset."""
    try:
        return adapt(preset(name).spec, spec.in_size, spec.out_classes) == spec
    except SpecError:  # the preset does not fit these images, so the spec is not the preset
        return False
