"""Input and output of the ``inspect`` commands: the run, the picture, the files written."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import print_note
from cnnlib.cli.parser import shown, whole_number
from cnnlib.cli.store import DEFAULT_STEP, run_at_step
from cnnlib.errors import DataError, ProbeError
from cnnlib.records.files import file_errors, replacing
from cnnlib.units import plural
from cnnlib.vocabulary.datasets import CROP

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.data.prepared import Prepared
    from cnnlib.design.plan import Plan
    from cnnlib.records.probe import Arithmetic, Window
    from cnnlib.records.run import Run
_FORMS = (".npz", ".json", ".png")


@dataclass(frozen=True)
class InspectedRun:
    """A run with its weights and dataset at one saved step."""

    run: Run
    step: int
    plan: Plan
    weights: dict[str, np.ndarray]
    prepared: Prepared

    def net(self) -> Any:
        """Build the network with the weights, in evaluation mode."""
        from cnnlib.probe.weights import network

        return network(self.run.request.spec, self.weights)

    def image(self, picture: str) -> np.ndarray:
        """Load a picture from the test split or a file: C x H x W, normalised."""
        import torch

        from cnnlib.data.batches import Normaliser

        pixels = torch.from_numpy(_pixels(self.prepared, picture))
        return Normaliser(self.prepared.info, "cpu")(pixels[None]).numpy()[0]


def open_run(args: argparse.Namespace) -> InspectedRun:
    """Load the run and step named on the command line."""
    from cnnlib.design.plan import plan
    from cnnlib.probe.pictures import run_pictures
    from cnnlib.probe.weights import read_arrays

    store, run, saved = run_at_step(args.run_id, args.step)
    weights = read_arrays(store.weights_file(run.id, saved))
    prepared = run_pictures(run, store.folders)
    return InspectedRun(run, saved.step, plan(run.request.spec), weights, prepared)


_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "layer": {
        "metavar": "NAME",
        "required": True,
        "help": "such as features.conv1; the command cost lists all",
    },
    "out": {"metavar": "FILE", "required": True, "help": "a file name: .npz, .json or .png"},
    "picture": {
        "metavar": "N|FILE",
        "default": "0",
        "help": "number of a test picture, or a picture file; default: 0",
    },
    "step": {"metavar": "N", "type": whole_number, "help": DEFAULT_STEP},
}


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options that several commands have: ``layer``, ``out``, ``picture``, ``step``."""
    for name in names:
        parser.add_argument(f"--{name}", **_OPTIONS[name])


def window_at(made: Arithmetic, row: int, column: int) -> Window:
    """The computation of one output value.

    Raises:
        ProbeError: The position is outside the output.
    """
    try:
        return made.at(row, column)
    except IndexError as error:
        raise ProbeError(
            f"There is no such output value: {error}. Choose a position inside the output."
        ) from None


def _pixels(prepared: Prepared, picture: str) -> np.ndarray:
    """Load a picture: C x H x W, uint8; a test picture by number, or a file."""
    import numpy as np

    number = number_of_picture(picture)
    if number is not None:
        if number >= len(prepared.test_images):
            raise DataError(
                f"There is no test picture {shown(picture)}: the test split has "
                f"{plural(len(prepared.test_images), 'picture')}. Choose a number below "
                f"{len(prepared.test_images)}."
            )
        return np.array(prepared.test_images[number])
    channels, size, _ = prepared.info.in_size
    return file_picture(picture, size, channels, prepared.info.fit)


def number_of_picture(picture: str) -> int | None:
    """Parse the number of a test picture; None where the text is a file name."""
    return int(picture) if picture.isascii() and picture.isdigit() and len(picture) < 19 else None


def write_values(out: str, values: np.ndarray, tiles: np.ndarray, verbose: bool = True) -> None:
    """Write values as .npz or .json, or tiles as .png, by the suffix of the file.

    Args:
        verbose: Print the shape and the path.

    Raises:
        DataError: The suffix is another one, or the file cannot be written.
    """
    import numpy as np

    path = Path(out)
    if path.suffix not in _FORMS:
        raise DataError(
            f"{shown(out)} does not end with .npz, .json or .png. Choose such a file name."
        )
    failed = file_errors(DataError, f"{shown(out)} cannot be written", "Choose another path.")
    with failed, replacing(path) as file:
        if path.suffix == ".npz":
            np.savez_compressed(file, values=values)
        elif path.suffix == ".json":
            file.write_text(json.dumps(values.tolist()) + "\n", encoding="utf-8")
        else:
            _write_picture(file, tiles)
    if verbose:
        print(f"Wrote values of shape {' x '.join(map(str, values.shape))} to {path}.")


def _write_picture(path: Path, tiles: np.ndarray) -> None:
    from PIL import Image

    from cnnlib.figures.tiles import tiles_picture

    Image.fromarray(tiles_picture(tiles)).save(path)


_MOST_BYTES = 100_000_000
_LONGEST_PATH = 400  # the name of the file stands at its end


def file_picture(path: str, size: int, channels: int, fit: str = CROP) -> np.ndarray:
    """Read a picture file, fitted into a square and resized: C x size x size, uint8.

    A picture with hardly any contrast is named on standard error.

    Raises:
        DataError: The file does not exist or is not a picture.
    """
    from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode_picture

    what = f"The picture {shown(path, _LONGEST_PATH)} cannot be read"
    also = (ValueError, BrokenPicture)  # ValueError: no name of a file
    with (
        file_errors(DataError, what, "Choose another picture.", also=also),
        Path(path).open("rb") as file,
    ):
        picture = decode_picture(file.read(_MOST_BYTES), size, channels, fit, path)
    if picture.problem:
        print_note(f"In the picture {shown(Path(path).name)}, {picture.problem}.")
    return picture.pixels
