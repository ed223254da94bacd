"""The networks of papers: parameters as published, outputs equal to other code with our weights."""

from dataclasses import replace

import pytest
import torch
import torchvision.models
from classics import CIFAR, CLASSICS, cifar_resnet, imagenet_resnet, vgg, wide_resnet
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, pad, relu

from cnnlib.design.cost import cost
from cnnlib.design.link import decode, encode
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.nets.model import build_model


@pytest.mark.parametrize("name", CLASSICS)
def test_a_classic_has_the_parameters_of_its_paper(name):
    spec, params = CLASSICS[name]
    assert cost(plan(spec)).params == params


@pytest.mark.parametrize("name", CLASSICS)
def test_a_classic_has_a_link(name):
    spec, _ = CLASSICS[name]
    assert decode(encode(spec)) == spec


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("VGG-11", "vgg11"),
        ("VGG-16", "vgg16"),
        ("ResNet-34", "resnet34"),
        ("ResNet-50 v1.5", "resnet50"),
    ],
)
def test_the_tensors_are_those_of_torchvision(name, model):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, model)()
        ours = build_model(CLASSICS[name][0])
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]


@pytest.mark.parametrize("blocks", [(1, 2, 1, 1), (2, 1, 1, 2)])
@pytest.mark.parametrize("is_bottleneck", [False, True])
def test_a_residual_network_computes_what_torchvisions_computes(blocks, is_bottleneck):
    spec = replace(imagenet_resnet(*blocks, bottleneck=is_bottleneck), in_size=(3, 64, 64))
    kind = getattr(torchvision.models.resnet, "Bottleneck" if is_bottleneck else "BasicBlock")
    assert_same(spec, torchvision.models.ResNet(kind, list(blocks)))


def test_the_convolutions_of_vgg_compute_what_torchvisions_compute():
    spec = replace(vgg(1, 1, 2, 2, 2), in_size=CIFAR, hidden_dims=(), out_classes=10)
    theirs = nn.Sequential(
        torchvision.models.vgg11(num_classes=10).features, nn.Flatten(), nn.Linear(512, 10)
    )
    assert_same(spec, theirs)


class Weights:
    """The tensors of a network in forward order, for code that is written out."""

    def __init__(self, net: nn.Module) -> None:
        self.tensors = iter(net.parameters())
        self.batch_norms = iter(m for m in net.modules() if isinstance(m, nn.BatchNorm2d))

    def conv(self, x: Tensor, stride: int = 1) -> Tensor:
        weight = next(self.tensors)
        return conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(self, x: Tensor) -> Tensor:
        module = next(self.batch_norms)
        scale, shift = next(self.tensors), next(self.tensors)
        return batch_norm(x, module.running_mean, module.running_var, scale, shift)

    def linear(self, x: Tensor) -> Tensor:
        return x @ next(self.tensors).T + next(self.tensors)


def _option_a(net: nn.Module, x: Tensor, convs: int) -> Tensor:
    """ResNet for CIFAR with shortcuts without parameters."""
    own = Weights(net)
    x = relu(own.norm(own.conv(x)))
    for group in range(3):
        for block in range(convs // 2):
            stride = 2 if group and not block else 1
            out = relu(own.norm(own.conv(x, stride)))
            out = own.norm(own.conv(out))
            kept = avg_pool2d(x, 1, stride)  # as in the code of the paper's authors
            x = relu(out + pad(kept, (0, 0, 0, 0, 0, out.shape[1] - kept.shape[1])))
    return own.linear(x.mean(dim=(2, 3)))


def _wide(net: nn.Module, x: Tensor, convs: int) -> Tensor:
    """Wide ResNet: pre-activation, whose result the projection takes too."""
    own = Weights(net)
    x = own.conv(x)
    for group in range(3):
        for block in range(convs // 2):
            stride = 2 if group and not block else 1
            given = relu(own.norm(x))
            out = relu(own.norm(own.conv(given, stride)))
            out = own.conv(out)
            x = out + (own.conv(given, stride) if not block else x)
    return own.linear(relu(own.norm(x)).mean(dim=(2, 3)))


@pytest.mark.parametrize("depth", [14, 20])
def test_option_a_computes_what_the_formula_says(depth):
    assert_equals(cifar_resnet(depth), _option_a, (depth - 2) // 3)


def test_a_wide_network_computes_what_the_formula_says():
    assert_equals(wide_resnet(16, 2), _wide, 4)


def test_even_and_rectangular_windows_are_those_of_torch():
    spec = replace(
        preset("cnn3").spec, kernel_size=(4, (3, 1), (1, 2)), activation="none", pool_every=0
    )
    convs = [
        nn.Conv2d(1, 16, 4, padding="same"),
        nn.Conv2d(16, 32, (3, 1), padding="same"),
        nn.Conv2d(32, 64, (1, 2), padding="same"),
    ]
    linear = [nn.Linear(64 * 28 * 28, 128), nn.Linear(128, 10)]
    assert_same(spec, nn.Sequential(*convs, nn.Flatten(), *linear))


def assert_equals(spec, formula, convs: int) -> None:
    """Check the scores of our network against a formula that uses its weights."""
    net = build_model(spec, seed=1)
    images = torch.randn(3, *spec.in_size, generator=torch.Generator().manual_seed(0))
    net(images)  # running statistics that are not 0 and 1
    net.eval()
    with torch.no_grad():
        torch.testing.assert_close(net(images), formula(net, images, convs), rtol=1e-4, atol=1e-5)


def assert_same(spec, theirs: nn.Module) -> None:
    """Check that another network with our weights gives our scores."""
    ours = build_model(spec, seed=1).eval()
    theirs.eval()
    with torch.no_grad():
        for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.copy_(own)
        images = torch.randn(2, *spec.in_size, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)
