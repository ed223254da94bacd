"""Fixtures of the tests of the viewer."""

import pytest

from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import load_prepared
from cnnlib.records.folders import Folders
from cnnlib.records.maps import SplitSource


@pytest.fixture
def split() -> SplitSource:
    """The validation split of the digits."""
    folders = Folders.from_environment()
    for _ in prepare("digits", folders):
        pass
    return SplitSource("digits", load_prepared("digits", folders).info.fingerprint)
