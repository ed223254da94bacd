"""CNN Lab's library: design, train, inspect and compare convolutional networks.

Public names are imported on first use: ``import cnnlib`` is fast, and does not import torch.
"""

from importlib import import_module

__version__ = "0.1.0"

# Public name -> the module that defines it; in alphabetical order.
_MODULES: dict[str, str] = {
    "ArgMaxClassifier": "cnnlib.nets.evaluate",
    "CNN": "cnnlib.nets.networks",
    "CNNSpec": "cnnlib.design.spec",
    "CnnlibError": "cnnlib.errors",
    "Recipe": "cnnlib.records.recipe",
    "ResNet": "cnnlib.nets.networks",
    "ResidualBlock": "cnnlib.nets.blocks",
    "ResidualBottleneckBlock": "cnnlib.nets.blocks",
    "SpecError": "cnnlib.errors",
    "Stem": "cnnlib.design.spec",
    "build_model": "cnnlib.nets.model",
    "cost": "cnnlib.design.cost",
    "fit": "cnnlib.train.api",
    "load_run": "cnnlib.train.api",
    "plan": "cnnlib.design.plan",
    "preset": "cnnlib.design.presets",
    "presets": "cnnlib.design.presets",
    "results_frame": "cnnlib.compare.frame",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use, and store it here."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names beside the module's own, for completion in a notebook."""
    return sorted(set(globals()) | set(__all__))
