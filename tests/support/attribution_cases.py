"""Networks and pictures for the attribution tests, and Captum's attributions of them.

``python tests/support/attribution_cases.py`` writes ``tests/recorded/captum.npz`` anew. It needs
captum, which needs matplotlib; the tests compare with the recorded file (captum 0.9.0).
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch

from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import Network, build_model

RECORDED = Path(__file__).parents[1] / "recorded" / "captum.npz"
SPECS = {
    "grey": CNNSpec(in_size=(1, 12, 12), out_classes=4, channels=(4, 6), norm="batch"),
    "colour": CNNSpec(in_size=(3, 12, 12), out_classes=3, channels=(4, 6), hidden_dims=(8,)),
}


def build_net(spec: CNNSpec) -> Network:
    """Build a network with weights from numpy: the same under every version of torch."""
    net = build_model(spec, seed=0).eval()
    for name, value in net.state_dict().items():
        if value.dtype == torch.float32:
            random = np.random.default_rng(zlib.crc32(name.encode()))
            drawn = random.normal(0, 0.4, value.shape)
            value.copy_(torch.from_numpy(np.abs(drawn) + 0.5 if "running_var" in name else drawn))
    return net


def random_picture(spec: CNNSpec) -> np.ndarray:
    return np.random.default_rng(7).normal(size=spec.in_size).astype(np.float32)


def captum_attributions(
    net: Network, image: np.ndarray, target: int, layer: str
) -> dict[str, np.ndarray]:
    """Return Captum's attributions, keyed by the lab's names of the methods."""
    from captum import attr

    from cnnlib.probe.attribution.result import OCCLUSION_STRIDE, OCCLUSION_WINDOW

    x = torch.from_numpy(image)[None].requires_grad_()
    window = (len(image), OCCLUSION_WINDOW, OCCLUSION_WINDOW)
    stride = (len(image), OCCLUSION_STRIDE, OCCLUSION_STRIDE)
    found = {
        "saliency": attr.Saliency(net).attribute(x, target, abs=False),
        "integrated": attr.IntegratedGradients(net).attribute(x, 0, target),
        "occlusion": attr.Occlusion(net).attribute(x, window, strides=stride, target=target),
        "grad_cam": attr.LayerGradCam(net, net.get_submodule(layer)).attribute(
            x, target, relu_attributions=True
        ),
        "guided": attr.GuidedBackprop(net).attribute(x, target),
    }
    return {name: value[0].detach().float().numpy() for name, value in found.items()}


if __name__ == "__main__":
    recorded = {}
    for case, spec in SPECS.items():
        layer = "features.pool2"
        for method, values in captum_attributions(
            build_net(spec), random_picture(spec), 1, layer
        ).items():
            recorded[f"{case}/{method}"] = values
    np.savez_compressed(RECORDED, **recorded)
