"""The forecast memory of training steps and evaluations, against what torch and the process hold.

python -m bench.memory                 presets, then 200 random networks, then the process
python -m bench.memory --count 20      fewer random networks
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "support"))

from live_storages import measure_evaluation, measure_step, resident_of_steps  # noqa: E402
from random_specs import random_specs  # noqa: E402

from cnnlib.design.cost import cost  # noqa: E402
from cnnlib.design.plan import plan  # noqa: E402
from cnnlib.design.presets import preset, presets  # noqa: E402
from cnnlib.train.execution.forecast import in_process  # noqa: E402
from cnnlib.vocabulary.training import OPTIMIZERS  # noqa: E402

if TYPE_CHECKING:
    from cnnlib.design.spec import CNNSpec

STEP_BOUND, PROCESS_BOUND, PROCESS_SLACK = 0.03, 0.10, 30_000_000
LARGEST = 1_000_000_000  # bytes of a random network that is still measured


def compare(spec: CNNSpec, batch_size: int, optimizer: str) -> tuple[float, float]:
    """Return measured over forecast, of a training step and of an evaluation."""
    costs = cost(plan(spec), batch_size=batch_size, optimizer=optimizer)
    step = measure_step(spec, batch_size, optimizer) / costs.training_bytes
    return step, measure_evaluation(spec, batch_size) / costs.evaluation_peak.bytes


def print_presets(batch_size: int) -> bool:
    """Print a row for each preset; return whether all are within the bound."""
    print(f"batch {batch_size}: measured over forecast, training step by optimiser, evaluation")
    print(f"{'preset':18}" + "".join(f"{name:>10}" for name in (*OPTIMIZERS, "evaluation")))
    is_right = True
    for each in presets():
        ratios = [compare(each.spec, batch_size, optimizer) for optimizer in OPTIMIZERS]
        found = [step for step, _ in ratios] + [ratios[0][1]]
        is_right &= all(abs(ratio - 1) <= STEP_BOUND for ratio in found)
        print(f"{each.name:18}" + "".join(f"{ratio:10.4f}" for ratio in found))
    return is_right


def print_random(count: int) -> bool:
    """Print the extremes over random networks; return whether all are within the bound."""
    steps, evaluations = [], []
    for number, spec in enumerate(random_specs(count)):
        optimizer = list(OPTIMIZERS)[number % len(OPTIMIZERS)]
        if cost(plan(spec), batch_size=16).training_bytes <= LARGEST:
            step, evaluation = compare(spec, 16, optimizer)
            steps.append(step)
            evaluations.append(evaluation)
    print(
        f"{len(steps)} random networks, batch 16: training step {min(steps):.4f} to "
        f"{max(steps):.4f}, evaluation {min(evaluations):.4f} to {max(evaluations):.4f}"
    )
    return all(abs(ratio - 1) <= STEP_BOUND for ratio in (*steps, *evaluations))


def print_process(batch_size: int) -> bool:
    """Print the growth of the process during three steps; return whether all are within bounds."""
    print(f"batch {batch_size}, adamw: growth of a process in MB, measured and forecast")
    is_right = True
    for each in presets():
        measured = []
        for layout in ("channels_last", "contiguous_format"):
            command = [sys.executable, "-m", "bench.memory", "--resident", each.name, layout]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
            measured.append(int(done.stdout))
        costs = cost(plan(each.spec), batch_size=batch_size, optimizer="adamw")
        there = costs.weight_bytes + costs.optimizer_bytes
        forecast = in_process(costs.training_peak) - there
        ok = all(abs(m - forecast) <= PROCESS_BOUND * forecast + PROCESS_SLACK for m in measured)
        is_right &= ok
        values = "".join(f"{value / 1e6:9.1f}" for value in (*measured, forecast))
        print(f"{each.name:18}{values}  {'' if ok else 'outside'}")
    return is_right


def main() -> int:
    """Print the tables; return 1 if a forecast is outside its bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--resident", nargs=2, metavar=("PRESET", "LAYOUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.resident:
        name, layout = options.resident
        spec, memory_format = preset(name).spec, getattr(torch, layout)
        print(resident_of_steps(spec, options.batch_size, "adamw", memory_format))
        return 0
    checks = [
        print_presets(options.batch_size),
        print_random(options.count),
        print_process(options.batch_size),
    ]
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
