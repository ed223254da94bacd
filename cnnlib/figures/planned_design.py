"""A design with its plan, cost and columns, as plain values: what the Lab shows of a design."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from cnnlib.design.cost import cost
from cnnlib.design.link import encode
from cnnlib.design.plan import plan
from cnnlib.errors import SpecError
from cnnlib.figures.columns import columns, folds

if TYPE_CHECKING:
    from cnnlib.design.spec import CNNSpec


def planned_design(
    spec: CNNSpec, *, batch_size: int = 128, optimizer: str = "adamw"
) -> dict[str, Any]:
    """Plan a design, repaired if needed, as plain JSON values.

    Returns:
        ``spec`` and ``link`` of the design that was planned, ``repair`` (a sentence, "" without
        one), ``params``, ``macs`` (for one picture), ``training_bytes`` (of a step),
        ``receptive_field``, ``columns`` and ``folds`` (see `cnnlib.figures.columns`).

    Raises:
        SpecError: It cannot be planned, and no repair was found.
    """
    repair = ""
    try:
        planned = plan(spec)
    except SpecError as error:
        if not error.repair:
            raise
        repair = error.repair_text or ""
        planned = plan(replace(spec, **error.repair))
    costs = cost(planned, batch_size=batch_size, optimizer=optimizer)
    found = columns(planned)
    return {
        "spec": planned.spec.to_dict(),
        "link": encode(planned.spec),
        "repair": repair,
        "params": costs.params,
        "macs": costs.macs,
        "training_bytes": costs.training_bytes,
        "receptive_field": costs.receptive_field,
        "columns": [asdict(column) for column in found],
        "folds": folds(found),
    }
