"""``python -m cnnlib.train.worker``: one worker process."""

from __future__ import annotations

from cnnlib.train.worker.process import main

if __name__ == "__main__":
    main()
