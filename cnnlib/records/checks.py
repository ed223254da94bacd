"""The checks of records: their errors are `RecipeError`."""

from __future__ import annotations

from cnnlib.design.checks import Checks
from cnnlib.errors import RecipeError

checks = Checks(RecipeError)
