"""``predict``: class probabilities of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.cli.inspect_args import file_picture
from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import add_command, add_number, whole_number
from cnnlib.cli.store import DEFAULT_STEP, run_at_step, trained_net
from cnnlib.units import percent

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import numpy as np
    from torch import nn

    from cnnlib.records.dataset import DatasetInfo


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    predict = add_command(
        commands,
        "predict",
        predict_pictures,
        "class probabilities of pictures",
        run=True,
        json="print a JSON list",
    )
    predict.add_argument("pictures", metavar="FILE", nargs="+")
    predict.add_argument(
        "--invert", action="store_true", help="swap dark and light (for ink on paper)"
    )
    predict.add_argument("--step", metavar="N", type=whole_number, help=DEFAULT_STEP)
    add_number(predict, "--top", 3, "classes per picture")


def predict_pictures(args: argparse.Namespace) -> None:
    """Print the most likely classes of each picture."""
    from cnnlib.probe.pictures import run_pictures

    store, run, saved = run_at_step(args.run_id, args.step)
    info = run_pictures(run, store.folders).info
    pictures = [_picture(path, info, args.invert) for path in args.pictures]
    found = _probabilities(trained_net(store, run, saved), pictures, info)
    if args.json:
        print_json([_facts(*each) for each in zip(args.pictures, found, strict=True)])
    else:
        rows = [
            (path, _likeliest(each, args.top))
            for path, each in zip(args.pictures, found, strict=True)
        ]
        print_table(("picture", "most likely"), rows)


def _picture(path: str, info: DatasetInfo, invert: bool) -> np.ndarray:
    """Read a picture in the size of the dataset: C x H x W, uint8."""
    channels, size, _ = info.in_size
    pixels = file_picture(path, size, channels)
    return 255 - pixels if invert else pixels


def _probabilities(
    net: nn.Module, pictures: Sequence[np.ndarray], info: DatasetInfo
) -> list[dict[str, float]]:
    """Return for each picture: class name -> probability."""
    import numpy as np
    import torch

    from cnnlib.data.batches import Normaliser
    from cnnlib.nets.evaluate import ArgMaxClassifier

    images = Normaliser(info, "cpu")(torch.from_numpy(np.stack(pictures)))
    with torch.inference_mode():
        rows = ArgMaxClassifier(net).eval().predict_proba(images).tolist()
    return [dict(zip(info.classes, row, strict=True)) for row in rows]


def _facts(path: str, probabilities: Mapping[str, float]) -> dict[str, Any]:
    best = max(probabilities, key=probabilities.__getitem__)
    facts = {"picture": path, "class": best, "probability": probabilities[best]}
    return facts | {"probabilities": probabilities}


def _likeliest(probabilities: Mapping[str, float], count: int) -> str:
    """Format the most likely classes: ``7 98.12 %, 1 1.20 %``."""
    names = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[: max(1, count)]
    return ", ".join(f"{name} {percent(probabilities[name])}" for name in names)
