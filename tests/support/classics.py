"""Networks of papers as specs, each with the parameters that its paper or its code counts."""

from __future__ import annotations

from dataclasses import replace

from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec, Stem

CIFAR, IMAGENET = (3, 32, 32), (3, 224, 224)


def cifar_resnet(depth: int, **changes) -> CNNSpec:
    """ResNet for CIFAR (He et al., CVPR 2016, section 4.2), with option A."""
    convs = (depth - 2) // 3
    spec = CNNSpec(
        in_size=CIFAR,
        channels=(16,) * convs + (32,) * convs + (64,) * convs,
        pool_every=convs,
        block="residual",
        block_convs=2,
        stem=Stem(16, bias=False),
        bias=False,
        norm="batch",
        last_norm=True,
        shortcut="pad",
        downsample="stride",
        head="gap",
    )
    return replace(spec, **changes)


def wide_resnet(depth: int, width: int) -> CNNSpec:
    """WRN-depth-width (Zagoruyko and Komodakis, BMVC 2016)."""
    convs = (depth - 4) // 3
    channels = tuple(base * width for base in (16, 32, 64) for _ in range(convs))
    return cifar_resnet(
        depth,
        channels=channels,
        pool_every=convs,
        last_norm=False,
        shortcut="conv",
        preactivation=True,
    )


def all_cnn_c() -> CNNSpec:
    """All-CNN-C (Springenberg et al., ICLR 2015 workshop)."""
    return CNNSpec(
        in_size=CIFAR,
        channels=(96, 96, 96, 192, 192, 192, 192, 192, 10),
        pool_every=0,
        kernel_size=(3, 3, 3, 3, 3, 3, 3, 1, 1),
        stride=(1, 1, 2, 1, 1, 2, 1, 1, 1),
        head="gap_only",
    )


def vgg(*groups: int) -> CNNSpec:
    """VGG (Simonyan and Zisserman, ICLR 2015), with 1,000 classes."""
    widths = (64, 128, 256, 512, 512)
    return CNNSpec(
        in_size=IMAGENET,
        out_classes=1000,
        channels=tuple(w for w, count in zip(widths, groups, strict=True) for _ in range(count)),
        pool_every=groups,
        hidden_dims=(4096, 4096),
        hidden_dropout=0.5,
    )


def imagenet_resnet(*blocks: int, bottleneck: bool = False) -> CNNSpec:
    """ResNet for ImageNet (He et al., CVPR 2016), as torchvision has it (v1.5)."""
    size = 3 if bottleneck else 2
    widths = [
        (64 << stage, 64 << stage, 256 << stage) if bottleneck else (64 << stage,) * 2
        for stage in range(4)
    ]
    return CNNSpec(
        in_size=IMAGENET,
        out_classes=1000,
        channels=tuple(
            w for channels, count in zip(widths, blocks, strict=True) for w in channels * count
        ),
        kernel_size=(1, 3, 1) * sum(blocks) if bottleneck else 3,
        pool_every=tuple(size * count for count in blocks),
        block="residual",
        block_convs=size,
        stem=Stem(64, kernel_size=7, stride=2, bias=False, pool=True),
        bias=False,
        norm="batch",
        last_norm=True,
        shortcut_norm=True,
        stride_at="second" if bottleneck else "first",
        downsample="stride",
        pool_kernel_size=3,
        pool_stride=2,
        pool_padding=1,
        head="gap",
    )


# Name -> spec and number of parameters.
CLASSICS: dict[str, tuple[CNNSpec, int]] = {
    "LeNet-5 (1998)": (preset("lenet5_1998").spec, 61_706),
    "ResNet-20, option A": (cifar_resnet(20), 269_722),
    "ResNet-32, option A": (cifar_resnet(32), 464_154),
    "ResNet-44, option A": (cifar_resnet(44), 658_586),
    "ResNet-56, option A": (cifar_resnet(56), 853_018),
    "ResNet-110, option A": (cifar_resnet(110), 1_727_962),
    "WRN-16-4": (wide_resnet(16, 4), 2_748_890),
    "WRN-28-10": (wide_resnet(28, 10), 36_479_194),
    "All-CNN-C": (all_cnn_c(), 1_369_738),
    "VGG-11": (vgg(1, 1, 2, 2, 2), 132_863_336),
    "VGG-16": (vgg(2, 2, 3, 3, 3), 138_357_544),
    "ResNet-34": (imagenet_resnet(3, 4, 6, 3), 21_797_672),
    "ResNet-50 v1.5": (imagenet_resnet(3, 4, 6, 3, bottleneck=True), 25_557_032),
}
