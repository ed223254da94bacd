"""The state of the Build page, with its undo history. No streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnlib.design import link
from cnnlib.design.cost import MAX_BATCH_SIZE, Cost, cost
from cnnlib.design.plan import Plan, plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.ui.build.channels import fit_length
from cnnlib.vocabulary.training import OPTIMIZERS

MOST_STEPS = 200
JOIN_SECONDS = 1.0  # changes of one control that follow each other this fast are one step
# An address leaves these defaults out, so they never change: old links would change meaning.
BATCH_SIZE = 128
OPTIMIZER = "adamw"
_REGROWING = ("block", "convolutions", "pool_every", "block_convs")  # compute channels anew


@dataclass(frozen=True)
class Draft:
    """A design, and the dataset that it is for ("" for images of a custom size).

    Args:
        is_typed: Whether the channels were typed: other controls then keep them.
    """

    spec: CNNSpec
    dataset: str
    is_typed: bool = False


@dataclass(frozen=True)
class BuildState:
    """The state of the Build page.

    Args:
        valid: The last design for which `plan` succeeded; shown while the draft is invalid.
        batch_size: Images in a training step, for memory and FLOPs.
        pinned: The design that others are compared with.
        past, future: The drafts of undo and redo, the nearest last.
        control: The control that was changed last; "" where no series of its changes goes on.
        changed_at: When it was changed, in seconds of `time.monotonic`.
        origin: The draft before the first change of this series.
    """

    draft: Draft
    valid: CNNSpec
    batch_size: int = BATCH_SIZE
    optimizer: str = OPTIMIZER
    pinned: CNNSpec | None = None
    past: tuple[Draft, ...] = ()
    future: tuple[Draft, ...] = ()
    control: str = ""
    changed_at: float = 0.0
    origin: Draft | None = None

    def base_draft(self, control: str) -> Draft:
        """The draft that a control changes: the current one, or that before a series of changes.

        So a slider that is moved to and fro gives the result of a single move to its last value.
        """
        goes_on = control and control == self.control
        return self.origin if goes_on and self.origin else self.draft

    def changed(self, draft: Draft, control: str, now: float) -> BuildState:
        """The state with another draft; fast changes of one control are one step of undo."""
        origin = self.base_draft(control)
        is_drag = origin is not self.draft and now - self.changed_at < JOIN_SECONDS
        if draft == self.draft and not is_drag:
            return self
        past = self.past if is_drag else (*self.past, self.draft)
        return replace(
            self,
            draft=draft,
            past=past[-MOST_STEPS:],
            future=(),
            control=control,
            changed_at=now,
            origin=origin,
        )

    def without_misfit(self, control: str, now: float) -> BuildState:
        """The state without the last value of a control, if the design did not fit with it.

        The person has written another value, which cannot be read: the earlier one is gone.
        """
        if control != self.control or can_plan(self.draft.spec):
            return self
        fitting = (draft for draft in reversed(self.past) if can_plan(draft.spec))
        return self.changed(next(fitting, self.draft), "", now)

    def cost(self, plan: Plan) -> Cost:
        """The cost of a plan for the batch size and the optimiser of the page."""
        return cost(plan, batch_size=self.batch_size, optimizer=self.optimizer)

    def pinned_cost(self) -> Cost | None:
        """The cost of the pinned design; None without one."""
        return self.cost(plan(self.pinned)) if self.pinned else None

    def undone(self) -> BuildState:
        """The state one step back; itself where there is none."""
        if not self.past:
            return self
        *past, draft = self.past
        future = (*self.future, self.draft)
        return replace(self, draft=draft, past=tuple(past), future=future, control="")

    def redone(self) -> BuildState:
        """The state one step forward; itself where there is none."""
        if not self.future:
            return self
        *future, draft = self.future
        past = (*self.past, self.draft)
        return replace(self, draft=draft, past=past, future=tuple(future), control="")

    def address(self) -> dict[str, str]:
        """The query parameters that open the same page in another browser."""
        params = {"design": link.encode(self.draft.spec), "dataset": self.draft.dataset}
        if self.batch_size != BATCH_SIZE:
            params["batch"] = str(self.batch_size)
        if self.optimizer != OPTIMIZER:
            params["optimizer"] = self.optimizer
        if self.pinned:
            params["pinned"] = link.encode(self.pinned)
        return {name: value for name, value in params.items() if value}

    def opened(self, params: Mapping[str, str], now: float) -> BuildState:
        """The state that query parameters describe; undo restores the draft before it.

        Raises:
            SpecError: A parameter is damaged.
        """
        draft = Draft(link.decode(params["design"]), params.get("dataset", ""))
        return replace(
            self.changed(draft, "address", now),
            batch_size=_parse_batch_size(params.get("batch", str(BATCH_SIZE))),
            optimizer=_parse_optimizer(params.get("optimizer", OPTIMIZER)),
            pinned=_parse_pinned(params["pinned"]) if "pinned" in params else None,
        )


def with_change(draft: Draft, change: Callable[[CNNSpec], CNNSpec], control: str) -> Draft:
    """The draft with its spec changed by a control; typed channels are kept where that is possible.

    The dataset stays, also where the size of the images has changed.
    """
    spec, is_typed = change(draft.spec), draft.is_typed
    if is_typed and control in _REGROWING:
        spec = replace(spec, channels=fit_length(draft.spec.channels, len(spec.channels)))
    elif spec.channels != draft.spec.channels:
        is_typed = control == "channels" or (is_typed and control not in ("width", "growth"))
    return Draft(spec, draft.dataset, is_typed)


def can_plan(spec: CNNSpec) -> bool:
    """Whether the layers of a design fit."""
    try:
        plan(spec)
    except SpecError:
        return False
    return True


def _parse_pinned(text: str) -> CNNSpec:
    """Parse the pinned design: unlike a draft, it must plan."""
    spec = link.decode(text)
    plan(spec)
    return spec


def _parse_batch_size(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= 5
    if not is_number or not 1 <= int(text) <= MAX_BATCH_SIZE:
        raise _damaged_param("batch", text, f"a whole number from 1 to {MAX_BATCH_SIZE:,}")
    return int(text)


def _parse_optimizer(text: str) -> str:
    if text not in OPTIMIZERS:
        raise _damaged_param("optimizer", text, f"one of {', '.join(OPTIMIZERS)}")
    return text


def _damaged_param(name: str, value: Any, rule: str) -> SpecError:
    return SpecError(
        f"The link contains {name}={str(value)[:40]!r}, but {name} must be {rule}. "
        f"Copy the whole link again, or choose a design on the Build page."
    )
