"""What a person has on the desk while designing, and the steps that lead there. No streamlit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cnnlib.design import link
from cnnlib.design.memory import OPTIMIZERS
from cnnlib.design.plan import plan
from cnnlib.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cnnlib.design.spec import CNNSpec

MOST_STEPS = 200
JOIN_SECONDS = 1.0  # changes of one control that follow each other this fast are one step
MOST_IMAGES = 65_536
# An address leaves these out, so they never change: old links would then mean something else.
BATCH_SIZE = 128
OPTIMIZER = "adamw"


@dataclass(frozen=True)
class Draft:
    """A design, and the dataset that it is for ("" for images of a size of one's own)."""

    spec: CNNSpec
    dataset: str


@dataclass(frozen=True)
class BuildState:
    """All that the Build page remembers.

    Args:
        valid: The last design that planned; it stays on screen while `draft` does not.
        batch_size: Images in a training step, for memory and FLOPs.
        pinned: The design that others are compared with.
        past, future: What undo and redo lead to, the nearest last.
        control: What was changed last, and when in seconds.
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

    def before(self, control: str, now: float) -> Draft:
        """The draft that a control changes: the present one, or where a drag of it began.

        So a slider that is dragged to and fro ends where it would have been dragged at once.
        """
        is_drag = control == self.control and now - self.changed_at < JOIN_SECONDS
        return self.past[-1] if is_drag and self.past else self.draft

    def changed(self, draft: Draft, control: str, now: float) -> BuildState:
        """Another draft; undo leads to the one `before` it."""
        is_drag = self.before(control, now) is not self.draft
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
        )

    def undone(self) -> BuildState:
        """One step back; the same where there is none."""
        if not self.past:
            return self
        *past, draft = self.past
        future = (*self.future, self.draft)
        return replace(self, draft=draft, past=tuple(past), future=future, control="")

    def redone(self) -> BuildState:
        """One step forward again; the same where there is none."""
        if not self.future:
            return self
        *future, draft = self.future
        past = (*self.past, self.draft)
        return replace(self, draft=draft, past=past, future=tuple(future), control="")

    def address(self) -> dict[str, str]:
        """What the address bar says, so that the same page opens elsewhere."""
        told = {"design": link.encode(self.draft.spec), "dataset": self.draft.dataset}
        if self.batch_size != BATCH_SIZE:
            told["batch"] = str(self.batch_size)
        if self.optimizer != OPTIMIZER:
            told["optimizer"] = self.optimizer
        if self.pinned:
            told["pinned"] = link.encode(self.pinned)
        return {name: value for name, value in told.items() if value}

    def opened(self, told: Mapping[str, str], now: float) -> BuildState:
        """The desk that an address describes; the draft that lay here can be had back by undo.

        Raises:
            SpecError: A part of the address is damaged.
        """
        draft = Draft(link.decode(told["design"]), told.get("dataset", ""))
        return replace(
            self.changed(draft, "address", now),
            batch_size=_batch_size(told.get("batch", str(BATCH_SIZE))),
            optimizer=_optimizer(told.get("optimizer", OPTIMIZER)),
            pinned=_pinned(told["pinned"]) if "pinned" in told else None,
        )


def _pinned(text: str) -> CNNSpec:
    """A design to compare with: unlike a draft, it must plan."""
    spec = link.decode(text)
    plan(spec)
    return spec


def _batch_size(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= 5
    if not is_number or not 1 <= int(text) <= MOST_IMAGES:
        raise _damaged("batch", text, f"a whole number from 1 to {MOST_IMAGES:,}")
    return int(text)


def _optimizer(text: str) -> str:
    if text not in OPTIMIZERS:
        raise _damaged("optimizer", text, f"one of {', '.join(OPTIMIZERS)}")
    return text


def _damaged(name: str, value: Any, rule: str) -> SpecError:
    return SpecError(
        f"The link says {name}={str(value)[:40]!r}, but that must be {rule}. "
        f"Copy the whole link again, or start anew."
    )
