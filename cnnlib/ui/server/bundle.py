"""A script and the modules that it imports as one file: a browser asks once, not fifty times.

The modules are JavaScript as this project writes it: an import is one line, of names or of a whole
module, by a relative path; an export is a declaration or a list. Each becomes a function that is
called once, in the order of the imports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from graphlib import TopologicalSorter
from hashlib import sha256
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from cnnlib.ui.common.urls import FOLDERS_WITH_ASSETS, static_folder

if TYPE_CHECKING:
    from starlette.requests import Request

_IMPORT = re.compile(r'^import (?:\* as (\w+)|(\{[^}]*\})) from "([^"]+)";$')
_DECLARATION = re.compile(r"^export (?=(?:const|class|function|async function) (\w+))")
_LIST = re.compile(r"^export \{(.*)\};$")


async def bundled_script(request: Request) -> Response:
    """Respond with the script ``lab/lab.js`` and all its modules to ``lab/lab.bundle.js``."""
    return await run_in_threadpool(_respond, request)


def _respond(request: Request) -> Response:
    try:
        content = bundle(f"{request.path_params['script']}.js", read_script)
    except FileNotFoundError:
        return Response(status_code=404)
    tag = f'"{sha256(content.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/javascript", headers=headers)


def read_script(name: str) -> str:
    """Read a served script: ``lab/view.js`` is ``cnnlib/ui/lab/static/view.js``.

    Raises:
        FileNotFoundError: There is none.
    """
    folder, _, inside = name.partition("/")
    if folder not in FOLDERS_WITH_ASSETS:
        raise FileNotFoundError(name)
    root = static_folder(folder)
    path = (root / inside).resolve()
    if not path.is_relative_to(root):
        raise FileNotFoundError(name)
    return path.read_text(encoding="utf-8")


def bundle(script: str, read: Callable[[str], str]) -> str:
    """Return a script with all modules that it imports, as one module with the same exports.

    Args:
        script: Its name, relative to the root of the names: "lab/lab.js".
        read: Returns the text of the script of a name.

    Raises:
        ValueError: A module has an import or export of another form.
        graphlib.CycleError: Modules import each other in a circle.
    """
    sources: dict[str, str] = {}
    imported: dict[str, list[str]] = {}
    waiting = [script]
    while waiting:
        name = waiting.pop()
        if name not in sources:
            sources[name] = read(name)
            lines = map(_IMPORT.match, sources[name].splitlines())
            imported[name] = [_target(name, found[3]) for found in lines if found]
            waiting += imported[name]
    order = list(TopologicalSorter(imported).static_order())
    variables = {name: f"module{number}" for number, name in enumerate(order)}
    parts, exported = [], ""
    for name in order:
        body, exports = _function_body(name, sources[name], variables)
        exported = ", ".join(exports)
        body = f"{body}\nreturn {{ {exported} }};"
        parts.append(f"const {variables[name]} = (() => {{\n{body}\n}})();")
    return "\n".join([*parts, f"export const {{ {exported} }} = {variables[script]};\n"])


def _target(name: str, path: str) -> str:
    """Return the name of a module that another one imports."""
    return normpath(join(dirname(name), path))


def _function_body(name: str, source: str, variables: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a module's lines without import and export, and what it exports."""
    lines, exports = [], []
    for line in source.splitlines():
        if found := _IMPORT.match(line):
            whole, names, path = found.groups()
            pattern = whole or names.replace(" as ", ": ")
            lines.append(f"const {pattern} = {variables[_target(name, path)]};")
        elif found := _DECLARATION.match(line):
            exports.append(found[1])
            lines.append(line.removeprefix("export "))
        elif found := _LIST.match(line):
            exports += [each.strip() for each in found[1].split(",")]
        elif line.startswith(("import ", "export ")):
            raise ValueError(f"{name} has the line {line!r}, which cannot be bundled.")
        else:
            lines.append(line)
    return "\n".join(lines), exports
