"""Fixtures of the tests of the viewer."""

import pytest
from sample_data import copied_digits

from cnnlib.records.maps import SplitSource


@pytest.fixture
def split() -> SplitSource:
    """The validation split of the digits."""
    return SplitSource("digits", copied_digits().info.fingerprint)
