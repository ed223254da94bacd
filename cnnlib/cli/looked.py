"""What the commands that look inside a network look at: a run at a saved step, and a picture."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.parser import shown
from cnnlib.cli.saved import saved_weights
from cnnlib.cli.stores import existing_store
from cnnlib.errors import DataError
from cnnlib.records.run import Run

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.data.prepared import Prepared
    from cnnlib.design.plan import Plan

MOST_PICTURE_BYTES = 100_000_000


@dataclass(frozen=True)
class Looked:
    """A run at a saved step."""

    run: Run
    plan: Plan
    weights: dict[str, np.ndarray]
    prepared: Prepared

    def net(self) -> Any:
        """The network, in evaluation mode."""
        from cnnlib.probe.snapshots import network

        return network(self.run.request.spec, self.weights)

    def image(self, wanted: str) -> np.ndarray:
        """A picture of the test split, or of a file: C x H x W, normalised."""
        import torch

        from cnnlib.data.batches import Normaliser

        pixels = torch.from_numpy(_pixels(self.prepared, wanted))
        return Normaliser(self.prepared.info, "cpu")(pixels[None]).numpy()[0]


def opened(args: argparse.Namespace) -> Looked:
    """The run and the step that a command names."""
    from cnnlib.data.prepared import load_prepared
    from cnnlib.design.plan import plan
    from cnnlib.probe.snapshots import read_arrays

    store = existing_store(args.run_id)
    run = store.run(args.run_id)
    saved = saved_weights(store, run, args.step)
    weights = read_arrays(store.folders.run(run.id) / saved.file)
    return Looked(
        run, plan(run.request.spec), weights, load_prepared(run.request.dataset, store.folders)
    )


def _pixels(prepared: Prepared, wanted: str) -> np.ndarray:
    """A picture of the test split by its number, or that of a file."""
    import numpy as np

    from cnnlib.data.pictures import BrokenPicture, decode

    if wanted.isdigit():
        if int(wanted) >= len(prepared.test_images):
            raise DataError(
                f"There is no test picture {shown(wanted)}. "
                f"Choose a number below {len(prepared.test_images)}."
            )
        return np.array(prepared.test_images[int(wanted)])
    channels, size, _ = prepared.info.in_size
    try:
        with Path(wanted).open("rb") as file:
            return decode(file.read(MOST_PICTURE_BYTES), size, channels)
    except (OSError, ValueError, BrokenPicture) as error:
        raise DataError(
            f"The picture {shown(wanted)} cannot be read: {error}. Choose another."
        ) from error
