"""Fuzzing of every input of the web pages and of the command line, for a given time.

python -m bench.fuzz --minutes 10                 each fuzzer for ten minutes, one after the other
python -m bench.fuzz --minutes 10 --only zips links
python -m bench.fuzz --only zips --seed 4711      one input again, with its trace

An input depends only on the fuzzer's name and a seed, so that a failure can be repeated.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "support")]


def main() -> int:
    """Run the fuzzers; return 1 if one of them found a failure."""
    warnings.simplefilter("ignore")  # Pillow warns about many of the damaged files
    with tempfile.TemporaryDirectory() as folder:
        _use_folders(Path(folder).resolve())
        from fuzz.catalogue import FUZZERS

        options = _parse_arguments(list(FUZZERS))
        finds = 0
        for name in options.only or FUZZERS:
            finds += _fuzz(name, Path(folder).resolve(), options)
    return 1 if finds else 0


def _parse_arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="for each fuzzer")
    parser.add_argument("--only", nargs="+", choices=names)
    parser.add_argument("--first", type=int, help="seed to begin with; else the time decides")
    parser.add_argument("--seed", type=int, help="try this one again, and nothing else")
    return parser.parse_args()


def _use_folders(folder: Path) -> None:
    """Set temporary folders and one thread, before any module reads the environment."""
    os.environ |= {
        "CNNLAB_DATA": str(folder / "data"),
        "CNNLAB_RUNS": str(folder / "runs"),
        "OMP_NUM_THREADS": "1",
        "STREAMLIT_LOGGER_LEVEL": "error",
    }
    os.environ.pop("CNNLAB_DATABASE", None)


def _fuzz(name: str, folder: Path, options: argparse.Namespace) -> int:
    """Run one fuzzer for its time, or one seed; return the number of failures."""
    from fuzz.catalogue import FUZZERS
    from fuzz.running import folder_below, try_for, try_seed

    fuzzer = FUZZERS[name](folder_below(folder, name))
    if options.seed is not None:
        found = [find for find in [try_seed(name, fuzzer, options.seed)] if find]
        print(f"{name}, seed {options.seed}: {'a find' if found else 'nothing'}")
    else:
        first = int(time.time()) * 1000 if options.first is None else options.first
        print(f"{name}: from seed {first}", flush=True)
        found = try_for(name, fuzzer, 60 * options.minutes, first)
    count = 0
    for find in found:
        count += 1
        print(f"FIND {name} --seed {find.seed}\n{find.case}\n{find.trace}", flush=True)
    return count


if __name__ == "__main__":
    sys.exit(main())
