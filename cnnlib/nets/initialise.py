"""Weight initialisation: what each name of `CNNSpec.init` does.

Convolutions and linear layers only; norms keep scale 1 and shift 0. fan_in is the number of values
that one output is a sum of, fan_out the number of outputs that one value goes into. All but
``"default"`` set biases to zero.

==============  =================================================================================
``default``     torch's own: weights and biases uniform in +-1 / sqrt(fan_in) (LeCun et al.,
                "Efficient BackProp", 1998; in torch ``kaiming_uniform_`` with a = sqrt(5))
``he``          normal, deviation sqrt(2 / fan_in) (He et al., "Delving deep into rectifiers", 2015)
``xavier``      uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)
``lecun``       normal, deviation sqrt(1 / fan_in) (LeCun et al., 1998)
``orthogonal``  orthonormal rows or columns (Saxe, McClelland and Ganguli, 2014)
==============  =================================================================================
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

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
