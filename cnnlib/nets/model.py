"""`build_model`: a plan as torch modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cnnlib.design.plan import Plan, plan
from cnnlib.nets.blocks import module_of_layer
from cnnlib.nets.modules import sequential

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnlib.design.spec import CNNSpec


class Network(nn.Module):
    """What a plan describes; every module stands under the name of its layer.

    Modules are created in forward order, main path before shortcut, features before classifier, so
    that one seed gives one network.

    Attributes:
        plan: The plan that it was built from.
        features: Convolutions, blocks and poolings; empty in a multilayer perceptron.
        classifier: Flattening (after global average pooling, if asked for) and linear layers.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.features = self._part("features")
        self.classifier = self._part("classifier")
        initialise(self, plan.spec.init)

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W -> N x out_classes scores (logits)."""
        return self.classifier(self.features(x))

    def _part(self, name: str) -> nn.Sequential:
        """The modules of all layers whose names begin with the part's."""
        return sequential(
            (layer.name, module_of_layer(layer))
            for layer in self.plan.layers
            if layer.name.startswith(f"{name}.")
        )


def build_model(design: CNNSpec | Plan, *, seed: int | None = None) -> Network:
    """Build the network of a spec or of its plan, on the CPU, in training mode.

    Args:
        seed: Draws the weights from this seed, and leaves torch's random state as it was; without
            it, weights come from torch's random state, as with any module made by hand.

    Raises:
        SpecError: The spec does not plan.

    Example:
        >>> from cnnlib.design.spec import CNNSpec
        >>> build_model(CNNSpec(channels=(6, 16)), seed=0)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    planned = design if isinstance(design, Plan) else plan(design)
    if seed is None:
        return Network(planned)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Network(planned)


_WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "he": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "xavier": nn.init.xavier_uniform_,
    "lecun": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="linear"),
    "orthogonal": nn.init.orthogonal_,
}


def initialise(model: nn.Module, init: str) -> None:
    """Draw the weights of a model anew, layer by layer in forward order.

    Args:
        init: A name of the table above; with ``"default"`` the model stays as it was created.
    """
    if init == "default":
        return
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _WEIGHTS[init](module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
