"""Optimisers, learning-rate schedules, and the ways to balance unequal classes.

``torch_name`` is the name of torch's own class for the same rule, in ``torch.optim`` or
``torch.optim.lr_scheduler``; tests compare with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnnlib.vocabulary.entry import Entry, table


@dataclass(frozen=True, slots=True)
class Optimizer(Entry):
    """A rule that updates the weights.

    Args:
        algorithm: Name of the class in `cnnlib.train.optimizers`.
        options: Arguments of that class.
        has_momentum: Whether a recipe's ``momentum`` applies to it.
        state_copies: Tensors that it keeps for each parameter, each of the parameter's size.
        step_counts: float32 numbers that it keeps for each parameter tensor.
        hidden_copies: Tensors for the weights of convolutions and hidden linear layers, which have
            no step counts; None where they are treated like the others.
    """

    torch_name: str
    algorithm: str
    options: tuple[tuple[str, bool], ...] = ()
    has_momentum: bool = False
    state_copies: int = 0
    step_counts: int = 0
    hidden_copies: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule(Entry):
    """How the learning rate changes during a run.

    Args:
        settings: Fields of a recipe that it reads.
    """

    torch_name: str
    settings: tuple[str, ...] = ()


OPTIMIZERS = table(
    Optimizer("sgd", "SGD", "SGD", "SGD"),
    Optimizer("momentum", "SGD with momentum", "SGD", "SGD", has_momentum=True, state_copies=1),
    Optimizer(
        "nesterov",
        "Nesterov momentum",
        "SGD",
        "SGD",
        (("nesterov", True),),
        has_momentum=True,
        state_copies=1,
    ),
    Optimizer(
        "adam", "Adam", "Adam", "Adam", (("decoupled", False),), state_copies=2, step_counts=1
    ),
    Optimizer(
        "adamw", "AdamW", "AdamW", "Adam", (("decoupled", True),), state_copies=2, step_counts=1
    ),
    Optimizer("muon", "Muon", "Muon", "Muon", state_copies=2, step_counts=1, hidden_copies=1),
)

SCHEDULES = table(
    Schedule("constant", "Constant", "ConstantLR"),
    Schedule("step", "Step decay", "StepLR", ("step_epochs", "step_factor")),
    Schedule("cosine", "Cosine to zero", "CosineAnnealingLR"),
    Schedule("one_cycle", "One cycle", "OneCycleLR", ("warmup",)),
)

CLASS_BALANCES = table(
    Entry("none", "None"),
    Entry("weights", "Weights in the loss"),
    Entry("sampling", "Balanced sampling"),
)
