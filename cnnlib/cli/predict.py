"""``predict``: what a trained network says about pictures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import percent, print_json, print_table
from cnnlib.cli.parser import id_of_run, shown, whole_number
from cnnlib.cli.saved import saved_weights, trained_net
from cnnlib.cli.stores import existing_store
from cnnlib.errors import DataError
from cnnlib.records.dataset import DatasetInfo

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

MOST_PICTURE_BYTES = 100_000_000


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    predict = commands.add_parser("predict", help="what a trained network says about pictures")
    predict.add_argument("run_id", metavar="ID", type=id_of_run)
    predict.add_argument("pictures", metavar="FILE", nargs="+")
    predict.add_argument(
        "--invert", action="store_true", help="swap dark and light (for ink on paper)"
    )
    predict.add_argument("--step", metavar="N", type=whole_number, help="default: the last saved")
    predict.add_argument("--top", metavar="N", type=whole_number, default=3, help="default: 3")
    predict.add_argument("--json", action="store_true", help="print a JSON list")
    predict.set_defaults(command=predict_pictures)


def predict_pictures(args: argparse.Namespace) -> int:
    """Print the most likely classes of each picture."""
    from cnnlib.data.prepared import load_prepared

    store = existing_store(args.run_id)
    run = store.run(args.run_id)
    saved = saved_weights(store, run, args.step)
    info = load_prepared(run.request.dataset, store.folders).info
    pictures = [_picture(path, info, args.invert) for path in args.pictures]
    found = _probabilities(trained_net(run, saved), pictures, info)
    if args.json:
        print_json([_facts(*each) for each in zip(args.pictures, found, strict=True)])
    else:
        rows = [
            (path, _likeliest(each, args.top))
            for path, each in zip(args.pictures, found, strict=True)
        ]
        print_table(("picture", "most likely"), rows)
    return 0


def _picture(path: str, info: DatasetInfo, invert: bool) -> np.ndarray:
    """A picture as the dataset has them: channels x height x width, uint8.

    Raises:
        DataError: It is none, or cannot be read.
    """
    from cnnlib.data.pictures import BrokenPicture, decode

    channels, size, _ = info.in_size
    try:
        with Path(path).open("rb") as file:
            pixels = decode(file.read(MOST_PICTURE_BYTES), size, channels)
    except (OSError, ValueError, BrokenPicture) as error:  # ValueError: not the name of a file
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(
            f"The picture {shown(path)} cannot be read: {why}. Choose another."
        ) from error
    return 255 - pixels if invert else pixels


def _probabilities(
    net: nn.Module, pictures: Sequence[np.ndarray], info: DatasetInfo
) -> list[dict[str, float]]:
    """For each picture: class name -> probability."""
    import numpy as np
    import torch

    from cnnlib.data.batches import Normaliser
    from cnnlib.nets.classifier import ArgMaxClassifier

    images = Normaliser(info, "cpu")(torch.from_numpy(np.stack(pictures)))
    with torch.inference_mode():
        rows = ArgMaxClassifier(net).eval().predict_proba(images).tolist()
    return [dict(zip(info.classes, row, strict=True)) for row in rows]


def _facts(path: str, probabilities: Mapping[str, float]) -> dict[str, Any]:
    best = max(probabilities, key=probabilities.__getitem__)
    facts = {"picture": path, "class": best, "probability": probabilities[best]}
    return facts | {"probabilities": probabilities}


def _likeliest(probabilities: Mapping[str, float], count: int) -> str:
    """``7 98.12 %, 1 1.20 %``."""
    names = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[: max(1, count)]
    return ", ".join(f"{name} {percent(probabilities[name])}" for name in names)
