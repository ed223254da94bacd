"""What the picture shows of a design, at rest and while a slider is dragged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnnlib.design import link
from cnnlib.design.cost import Cost
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import SpecError
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.ui.build.controls import CONTROLS
from cnnlib.ui.build.cost_numbers import MAIN_NUMBERS, change_of
from cnnlib.ui.build.field_labels import with_form_label
from cnnlib.ui.build.state import BuildState, Draft, with_change

if TYPE_CHECKING:
    from cnnlib.ui.build.control import Control

# Width and height of the tallest block: the browser shows the widest that has room.
SIZES = ((860, 150), (560, 120), (350, 56))


def pictures_of(plan: Plan, fold: bool) -> list[dict[str, Any]]:
    """Draw a plan for each width; without folds once, to be scrolled."""
    return [_picture(plan, place, fold) for place in range(len(SIZES) if fold else 1)]


def _picture(plan: Plan, place: int, fold: bool) -> dict[str, Any]:
    width, face = SIZES[place]
    return {"width": width, "svg": architecture_svg(plan, width=width, face=face, fold=fold)}


def main_numbers(cost: Cost, pinned: Cost | None) -> list[dict[str, Any]]:
    """Return the three main numbers as texts, with their change against a pinned design."""
    return [
        {
            "label": number.label,
            "text": number.format(number.value(cost)),
            "exact": f"{number.value(cost):,}",
            "change": change_of(number, cost, pinned) if pinned else "",
            "is_more": pinned is not None and number.value(cost) > number.value(pinned),
            "help": number.help,
        }
        for number in MAIN_NUMBERS
    ]


def slider_request(state: BuildState, fold: bool) -> dict[str, Any]:
    """Return the body of a request for `preview`, without the name and the value of a control."""
    drafts = {name: state.base_draft(name) for name in ("", state.control)}
    return {
        "address": state.address(),
        "drafts": {name: [link.encode(each.spec), each.is_typed] for name, each in drafts.items()},
        "fold": fold,
    }


def preview(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return picture and numbers of a design with one slider moved.

    Args:
        values: Those of `slider_request`, ``control`` and ``value`` of a slider, and ``size``, the
            place of the shown picture in `SIZES`.

    Returns:
        ``sizes`` with this picture, and ``numbers``.

    Raises:
        SpecError: The design does not fit, or the request is damaged. The message names the
            controls as the form does.
    """
    control = CONTROLS.get(str(values.get("control")))
    if control is None or control.kind != "slider":
        raise SpecError(f"{str(values.get('control'))[:40]!r} is not a slider of the Build page.")
    try:
        return _preview(values, control)
    except SpecError as error:
        raise SpecError(with_form_label(str(error), control.name)) from None


def _preview(values: Mapping[str, Any], control: Control) -> dict[str, Any]:
    number = _in_range(control, values.get("value"))
    state = _state(values.get("address"))
    draft = _draft(values.get("drafts"), control.name)
    changed = plan(with_change(draft, lambda spec: control.write(spec, number), control.name).spec)
    fold = bool(values.get("fold"))
    return {
        "sizes": [_picture(changed, _place(values.get("size")) if fold else 0, fold)],
        "numbers": main_numbers(state.cost(changed), state.pinned_cost()),
    }


def _place(size: Any) -> int:
    return size if isinstance(size, int) and 0 <= size < len(SIZES) else 0


def _draft(drafts: Any, control: str) -> Draft:
    """Return the draft that a control changes."""
    known = drafts if isinstance(drafts, dict) else {}
    match known.get(control, known.get("")):
        case [str(design), bool(is_typed)]:
            return Draft(link.decode(design), "", is_typed)
    raise _no_design()


def _state(address: Any) -> BuildState:
    if not isinstance(address, dict) or not isinstance(address.get("design"), str):
        raise _no_design()
    params = {name: str(value) for name, value in address.items()}
    spec = link.decode(params["design"])
    return BuildState(Draft(spec, ""), valid=spec).opened(params, 0.0)


def _no_design() -> SpecError:
    return SpecError("The request contains no design. Reload the page.")


def _in_range(control: Control, value: Any) -> float:
    low, high, highest, step = control.range
    top = max(high, highest)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= top:
        raise SpecError(
            f'"{control.label}" must be a number from {low:,} to {top:,}; found {value!r}.'
        )
    return value if isinstance(step, float) else round(value)
