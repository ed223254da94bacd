"""Browser components: a script of the lab's own, with data that the page passes to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from cnnlib.ui.common.urls import script

# The scripts are served as modules, which the browser caches. Only this loader is sent with every
# rerun: it imports the module at any base path and forwards the calls from Streamlit.
_LOADER = """
const modules = new Map();
const load = ({ data }) => {
  const address = `${location.origin}${data.script}`;
  if (!modules.has(address)) {
    modules.set(address, import(address));
    modules.get(address).catch(() => modules.delete(address)); // the server ended: tried again
  }
  return modules.get(address);
};

export default function (component) {
  const data = JSON.parse(component.data.json);
  load(component).then((part) => part.mount({ ...component, data }), console.warn);
  return () => load(component).then((part) => part.unmount(component), console.warn);
}
"""


class Component:
    """A browser component; like a widget it has a key, and is mounted once.

    Args:
        name: The name of the component, of this app's only.
        path: Its script, below the served folders: ``lab/lab.bundle.js``. It has the functions
            ``mount({ data, parentElement, ... })``, called at every change, and ``unmount``.
    """

    def __init__(self, name: str, path: str) -> None:
        self._mount = st.components.v2.component(f"cnnlab_{name}", js=_LOADER)
        self._path = path

    def __call__(self, data: Mapping[str, Any], *, key: str, **callbacks: Any) -> None:
        """Show it.

        Args:
            data: JSON values. They are sent as text: Streamlit imports pandas, a fifth of a second
                of the first page, to see whether a list or a mapping is a table.
            callbacks: ``on_picked_change``, a function, is called when the script sets ``picked``.
        """
        sent = {"script": script(self._path), "json": json.dumps(data)}
        self._mount(key=key, data=sent, **callbacks)
