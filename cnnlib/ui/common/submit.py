"""Submission of runs on behalf of the page's visitor."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.errors import CnnlibError
from cnnlib.train.execution.forecast import forecast_for_run
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.shared import folders, run_store

if TYPE_CHECKING:
    from cnnlib.records.run import RunRequest


def submit_or_show_error(request: RunRequest, seeds: int = 1) -> list[str]:
    """Queue runs with `submit`; show a `CnnlibError` and return no ids if they are refused."""
    try:
        return submit(request, seeds)
    except CnnlibError as error:
        show_error(error)
        return []


def submit(request: RunRequest, seeds: int = 1) -> list[str]:
    """Queue one run per seed, beginning with the request's own seed; returns their ids."""
    group = secrets.token_hex(4) if seeds > 1 else ""
    costs = cost(plan(request.spec))
    plan_cost = {"params": costs.params, "macs": costs.macs}
    seeded = [replace(request, seed=request.seed + more, group=group) for more in range(seeds)]
    return run_store().submit_all(seeded, plan_cost, forecast_for_run(request, folders()))
