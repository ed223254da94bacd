"""The state of the Lab page: design, recipe, dataset, picture, and undo. No streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from cnnlib.data.split import validation_size
from cnnlib.design import link
from cnnlib.design.plan import plan
from cnnlib.design.presets import adapt
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError
from cnnlib.records.dataset import DatasetInfo, drawings_title
from cnnlib.records.recipe import Recipe
from cnnlib.records.recipe_link import decode_recipe, encode_recipe
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import RunRequest
from cnnlib.vocabulary.training import OPTIMIZERS

MOST_STEPS = 100  # of undo
SKETCH_EPOCHS = 10_000  # a sketch ends when a person ends it
FEWEST_CLEAN_EPOCHS, MOST_CLEAN_EPOCHS = 1, 20
_INITIAL_SPEC = CNNSpec(channels=(16, 32), hidden_dims=(64,), norm="batch")


@dataclass(frozen=True)
class LabState:
    """What a person has chosen on the Lab page.

    Args:
        picture: Index in the validation split.
        past, future: Designs of undo and redo, the nearest last.
        message: A sentence about the last action; "" without one.
        subject: Address of the page that shows what the message is about; "" without one.
        awaited: A dataset that is being prepared, to be chosen then; "" without one.
        awaited_params: Of the address that asked for it, to be opened then.
        kept: The run that was kept as it is; it is shown, and training goes on from its weights.
    """

    spec: CNNSpec
    recipe: Recipe
    dataset: str
    seed: int = 0
    picture: int = 0
    past: tuple[CNNSpec, ...] = ()
    future: tuple[CNNSpec, ...] = ()
    message: str = ""
    subject: str = ""
    awaited: str = ""
    awaited_params: tuple[tuple[str, str], ...] = ()
    kept: str = ""

    @classmethod
    def initial(cls, info: DatasetInfo) -> LabState:
        """Return the state of a first visit: a small network that learns the dataset in seconds."""
        spec = adapt(_INITIAL_SPEC, info.in_size, len(info.classes))
        return cls(spec, sketch_recipe(spec, info), info.name)

    @classmethod
    def from_address(cls, params: Mapping[str, str], info: DatasetInfo) -> LabState:
        """Restore the state of an address; what it leaves out is as on a first visit.

        Raises:
            CnnlibError: A value cannot be read.
        """
        state = cls.initial(info)
        if "design" in params:
            spec = adapt(link.decode(params["design"]), info.in_size, len(info.classes))
            state = replace(state, spec=spec, recipe=sketch_recipe(spec, info))
        if "recipe" in params:
            state = replace(state, recipe=decode_recipe(params["recipe"]))
        numbers: dict[str, Any] = {
            name: _number(params[name], name) for name in _NUMBERS if name in params
        }
        return replace(state, **numbers).with_picture(numbers.get("picture", 0), info)

    def address(self, info: DatasetInfo) -> dict[str, str]:
        """Return the query parameters that restore this state."""
        params = {"dataset": self.dataset, "design": link.encode(self.spec)}
        if self.recipe != sketch_recipe(self.spec, info):
            params["recipe"] = encode_recipe(self.recipe)
        return params | {name: str(getattr(self, name)) for name in _NUMBERS if getattr(self, name)}

    def with_spec(self, spec: CNNSpec) -> LabState:
        """Return the state with another design; undo restores this one."""
        if spec == self.spec:
            return replace(self, message="")
        past = (*self.past, self.spec)[-MOST_STEPS:]
        return replace(self, spec=spec, past=past, future=(), message="")

    def undone(self) -> LabState:
        """Return the state with the design before."""
        if not self.past:
            return self
        *past, spec = self.past
        return replace(self, spec=spec, past=tuple(past), future=(*self.future, self.spec))

    def redone(self) -> LabState:
        """Return the state with the design after."""
        if not self.future:
            return self
        *future, spec = self.future
        return replace(self, spec=spec, past=(*self.past, self.spec), future=tuple(future))

    def with_steps(self, past: Sequence[CNNSpec], future: Sequence[CNNSpec]) -> LabState:
        """Return the state with the steps that were made to its design; itself if it has others.

        Raises:
            SpecError: The layers of a design do not fit.
        """
        if self.past or self.future:
            return self
        for spec in (*past, *future):
            plan(spec)
        return replace(self, past=tuple(past)[-MOST_STEPS:], future=tuple(future)[-MOST_STEPS:])

    def with_steps_of(self, before: LabState) -> LabState:
        """Return the state, which an address opened, as a step from the one before it.

        On another dataset there is no step back: designs are adapted to their dataset.
        """
        if self.dataset != before.dataset:
            return self
        is_back = bool(before.past) and before.past[-1] == self.spec
        moved = before.undone() if is_back else before.with_spec(self.spec)
        return replace(self, past=moved.past, future=moved.future)

    def with_picture(self, index: int, info: DatasetInfo) -> LabState:
        """Return the state with another picture of the validation split.

        Raises:
            RecipeError: There is no such picture.
        """
        count = validation_count(info)
        if not 0 <= index < count:
            raise RecipeError(
                f"{info.title} has no unseen picture {index}. Choose one from 0 to {count - 1}."
            )
        return replace(self, picture=index)

    def with_dataset(self, info: DatasetInfo) -> LabState:
        """Return the state with the design adapted to another dataset, and its default recipe.

        Raises:
            SpecError: The design does not fit its pictures, and no repair was found.
        """
        spec = adapt(self.spec, info.in_size, len(info.classes))
        recipe = sketch_recipe(spec, info)
        return LabState(spec, recipe, info.name, self.seed)

    def fits(self, request: RunRequest) -> bool:
        """Whether a run has the dataset, the design and the seed of this state."""
        wanted = (self.dataset, self.spec, self.seed)
        return (request.dataset, request.spec, request.seed) == wanted

    def sketch_request(self) -> RunRequest:
        """Return the request of a sketch."""
        return RunRequest(self.spec, self.recipe, self.dataset, self.seed, name=self.run_name)

    @property
    def run_name(self) -> str:
        """The name of its runs."""
        return f"Lab on {drawings_title(self.dataset) or self.dataset}"

    def clean_request(self, epochs: int) -> RunRequest:
        """Return the request of a run from fresh weights with this design and these settings.

        Args:
            epochs: Epochs of the sketch, begun ones included.
        """
        epochs = min(MOST_CLEAN_EPOCHS, max(FEWEST_CLEAN_EPOCHS, epochs))
        return replace(self.sketch_request(), recipe=replace(self.recipe, epochs=epochs))


_NUMBERS = ("seed", "picture")


def validation_count(info: DatasetInfo) -> int:
    """Count the pictures of a dataset that a sketch is measured on."""
    return validation_size(info, RunRequest.validation)


def sketch_recipe(spec: CNNSpec, info: DatasetInfo) -> Recipe:
    """Return the recipe of a sketch: the default one, at a constant rate and without an end."""
    recipe = default_recipe(spec, info.name, info.train_count)
    return Recipe(
        epochs=SKETCH_EPOCHS,
        batch_size=recipe.batch_size,
        optimizer="adamw",
        lr=0.002,
        weight_decay=recipe.weight_decay,
        augmentation=recipe.augmentation,
    )


def changed_recipe(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with another learning rate, batch size or optimiser.

    Raises:
        RecipeError: A value is out of range, or of another setting.
    """
    unknown = [name for name in changes if name not in ("lr", "batch_size", "optimizer")]
    if unknown:
        raise RecipeError(
            f"{unknown[0]!r} cannot be changed here. Change the learning rate, the batch size or "
            "the optimiser."
        )
    changed = replace(recipe, **changes)
    if OPTIMIZERS[changed.optimizer].has_momentum and changed.momentum == 0:
        return replace(changed, momentum=0.9)
    return changed


def epochs_begun(step: int, steps_per_epoch: int) -> int:
    """Count the epochs that were begun at a step."""
    return ceil(step / steps_per_epoch) if steps_per_epoch else 1


def _number(text: str, name: str) -> int:
    """Parse a number of the address.

    Raises:
        RecipeError: It is no whole number from 0.
    """
    if not text.isdecimal() or len(text) > 9:
        raise RecipeError(
            f"{name}={text[:20]!r} in the address is not a whole number from 0. Use the address as "
            "the Lab wrote it."
        )
    return int(text)
