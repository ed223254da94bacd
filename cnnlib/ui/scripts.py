"""The server's own scripts, which draw what Streamlit has no element for."""

from __future__ import annotations

from cnnlib.ui.server.routes import ASSETS_ADDRESS, at_root

# The scripts come from this server as modules, which the browser keeps. What is sent with every
# rerun is only this: it finds them, whatever path the server lives under, and passes on what
# Streamlit says.
LOADER = """
const modules = new Map();
const load = ({ data }) => {
  const address = `${location.origin}${data.script}`;
  if (!modules.has(address)) modules.set(address, import(address));
  return modules.get(address);
};

export default function (component) {
  load(component).then((part) => part.mount(component));
  return () => load(component).then((part) => part.unmount(component));
}
"""


def script(path: str) -> str:
    """Address of a script, without host."""
    return at_root(f"{ASSETS_ADDRESS}/{path}")
