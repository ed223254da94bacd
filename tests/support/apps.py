"""Streamlit's `AppTest`, with two changes.

It looks for installed components once in a process: it reads the metadata of all installed packages
for every app, which takes longer than most pages. And what Streamlit logs once about the use of a
widget, such as a default beside a value in the session, is an exception of the page.
"""

import json
from functools import cache
from typing import Any

from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.elements.lib import policies
from streamlit.testing.v1 import AppTest

config.get_config_options()  # now: it is read once, and a test may change the working folder

__all__ = ["AppTest", "components"]

manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def components(app: AppTest) -> list[dict[str, Any]]:
    """What the page told each of the lab's browser components, and the script of each."""
    sent = [json.loads(each.proto.json) for each in app.get("bidi_component")]
    return [each | json.loads(each.pop("json")) for each in sent if "json" in each]


def _fail(message: str, *values: object, **_: object) -> None:
    raise AssertionError(message % values)


policies._LOGGER.warning = _fail
