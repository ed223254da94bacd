"""Write the library's reference from its docstrings.

    python docs/make_reference.py        writes docs/reference.md

A test fails if the file is out of date.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.routing import Route

import cnnlib
from cnnlib.ui.server.routes import routes

if TYPE_CHECKING:
    from collections.abc import Generator

REFERENCE = Path(__file__).resolve().parent / "reference.md"
SECTION = re.compile(r"(Args|Returns|Raises|Example|Yields):")


def reference() -> str:
    """The whole reference as Markdown."""
    parts = [
        "# Reference",
        "Made from the docstrings by `python docs/make_reference.py`; change those, not this file.",
        " · ".join(f"[{name}](#{name.lower()})" for name in cnnlib.__all__),
    ]
    for name in cnnlib.__all__:
        parts += _entry(name, getattr(cnnlib, name))
    parts += ["# Routes of the app", *_routes()]
    return "\n\n".join(parts) + "\n"


def _entry(name: str, thing: type | object) -> Generator[str]:
    """The entry of one public name: its signature, its docstring and its methods."""
    yield f"## {name}"
    if not (isinstance(thing, type) and issubclass(thing, Exception)):
        yield f"```python\n{_signature(name, thing)}\n```"
    yield _markdown(inspect.getdoc(thing) or "")
    if isinstance(thing, type) and (lines := list(_methods(thing))):
        yield "\n".join(lines)


def _routes() -> Generator[str]:
    """The entry of each route of the server: method, address and docstring."""
    for route in routes():
        if isinstance(route, Route):
            methods = ", ".join(sorted({*(route.methods or ())} - {"HEAD"}))
            yield f"## {methods} {route.path}"
            yield _markdown(inspect.getdoc(route.endpoint) or "")


def _signature(name: str, thing: object) -> str:
    """Format ``name(...)``, over several lines if it is longer than 88 characters."""
    signature = inspect.signature(thing)
    arguments = list(_arguments(signature))
    returned = signature.return_annotation
    end = "" if returned in (signature.empty, None, "None") else f" -> {returned}"
    line = f"{name}({', '.join(arguments)}){end}"
    if len(line) <= 88:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in arguments), f"){end}"])


def _arguments(signature: inspect.Signature) -> Generator[str]:
    """Each argument as it is written in the source."""
    has_star = False
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and not has_star:
            has_star = True
            yield "*"
        default = "" if each.default is each.empty else f" = {_default(each.default)}"
        yield f"{each.name}: {each.annotation}{default}"


def _default(value: object) -> str:
    """The source text of a default; dots for one without a short form."""
    text = repr(value)
    return "{}" if text == "mappingproxy({})" else "..." if text[0] == "<" else text


def _methods(thing: type) -> Generator[str]:
    """A line for each public method and property of the class itself that has a docstring."""
    for name, member in vars(thing).items():
        member = getattr(member, "__func__", member)  # of a class method
        doc = inspect.getdoc(member)
        if (
            name.startswith("_")
            or not doc
            or not (callable(member) or isinstance(member, property))
        ):
            continue
        call = name if isinstance(member, property) else f"{name}()"
        yield f"- `.{call}`: {_inline(doc.partition(chr(10) * 2)[0])}"


def _markdown(doc: str) -> str:
    """Convert a docstring in Google style: sections become lists, examples code blocks."""
    lines: list[str] = []
    section = ""
    for line in doc.splitlines():
        if SECTION.fullmatch(line):
            section = line.removesuffix(":")
            lines += [f"**{section}**", ""] + (["```python"] if section == "Example" else [])
        elif section and line and not line.startswith(" "):
            lines += [*(["```", ""] if section == "Example" else []), _inline(line)]
            section = ""
        elif section in ("Args", "Raises") and re.match(r" {4}\S", line):
            name, _, text = line.strip().partition(": ")
            lines.append(f"- `{name}`: {_inline(text)}")
        elif section:
            lines.append(line[4:] if section == "Example" else _inline(line[4:]))
        elif line != "::":
            lines.append(_inline(line))
    if section == "Example":
        lines.append("```")
    return "\n".join(lines)


def _inline(text: str) -> str:
    """Replace the double back-ticks of docstrings by Markdown's single ones."""
    return text.replace("``", "`")


if __name__ == "__main__":
    REFERENCE.write_text(reference())
    print(REFERENCE.relative_to(REFERENCE.parent.parent))
