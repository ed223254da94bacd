"""`build_model`: builds the torch modules of a plan."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cnnlib.design.plan import Plan, plan
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.blocks import build_layer, build_sequential
from cnnlib.vocabulary.layers import INITIALISATIONS


class Network(nn.Module):
    """The network of a plan; every module has the name of its layer.

    Modules are created in forward order, main path before shortcut, features before classifier, so
    that equal seeds give equal weights.

    Attributes:
        plan: The plan from which it was built.
        features: Convolutions, blocks and poolings; empty in a multilayer perceptron.
        classifier: Flattening (after global average pooling, if `head` is ``"gap"``) and linear
            layers.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.features = self._build_part("features")
        self.classifier = self._build_part("classifier")
        initialise(self, plan.spec.init)

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W -> N x out_classes scores (logits)."""
        return self.classifier(self.features(x))

    def _build_part(self, name: str) -> nn.Sequential:
        """Build the modules of one part, ``"features"`` or ``"classifier"``."""
        return build_sequential(
            (layer.name, build_layer(layer))
            for layer in self.plan.layers
            if layer.name.startswith(f"{name}.")
        )


def build_model(design: CNNSpec | Plan, *, seed: int | None = None) -> Network:
    """Build the network of a spec or of its plan, on the CPU, in training mode.

    Args:
        seed: Seed of the weights; torch's random state stays unchanged. None: the weights are
            drawn from torch's random state, as in any torch module.

    Raises:
        SpecError: The layers of the spec do not fit.

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


def load_fitting(net: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Copy the tensors of equal name and shape into a net; the others of the net stay as they are.

    Returns:
        Names of the net's tensors that stay.
    """
    own = net.state_dict()
    fitting = {
        name: value
        for name, value in tensors.items()
        if name in own and own[name].shape == value.shape
    }
    net.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def initialise(model: nn.Module, init: str) -> None:
    """Draw new weights for a model, layer by layer in forward order, and set biases to 0.

    Args:
        init: A name of `cnnlib.vocabulary.layers.INITIALISATIONS`; ``"default"`` leaves the model
            unchanged.
    """
    rule = INITIALISATIONS[init]
    if not rule.torch_name:
        return
    draw = getattr(nn.init, rule.torch_name)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw(module.weight, **dict(rule.options))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
