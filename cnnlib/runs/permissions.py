"""What belongs to whom: what one person started, another may look at and not change.

An owner is a name that says nothing about a person: a hash of a browser's cookie, or of who signed
in. ``None`` is the operator, who may do everything.
"""

from __future__ import annotations

from cnnlib.errors import RightsError


def may_change(person: str | None, owner: str) -> bool:
    """The person is the owner, or the operator."""
    return person is None or person == owner


def check(person: str | None, owner: str, what: str) -> None:
    """Let the owner and the operator pass.

    Args:
        what: What is to be changed: ``"The run 0abc"``.

    Raises:
        RightsError: It belongs to somebody else.
    """
    if not may_change(person, owner):
        raise RightsError(
            f"{what} belongs to somebody else, and only they, or who runs this server, may change "
            "it. Look at it, or start one of your own."
        )
