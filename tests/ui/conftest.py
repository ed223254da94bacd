"""Fixtures of the tests of pages."""

import pytest
from in_process_viewer import InProcessViewer


@pytest.fixture(autouse=True)
def _viewer_of_pages(page_viewer: InProcessViewer) -> None:
    """Every page has its viewer in this process."""
