"""Streamlit's `AppTest`, which looks for installed components once in a process.

It reads the metadata of all installed packages for every app, which takes longer than most pages.
"""

from functools import cache

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

__all__ = ["AppTest"]

manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
