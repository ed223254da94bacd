"""Write the library's reference from its docstrings.

    python docs/make_reference.py        writes docs/reference.md

A test fails while the file says anything else than the docstrings do.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import cnnlib

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
    return "\n\n".join(parts) + "\n"


def _entry(name: str, thing: type | object) -> Generator[str]:
    """One public name: how it is called, what its docstring says, and its methods."""
    yield f"## {name}"
    if not (isinstance(thing, type) and issubclass(thing, Exception)):
        yield f"```python\n{_signature(name, thing)}\n```"
    yield _markdown(inspect.getdoc(thing) or "")
    if isinstance(thing, type) and (lines := list(_methods(thing))):
        yield "\n".join(lines)


def _signature(name: str, thing: object) -> str:
    """``name(...)``, over several lines where it would be too long for one."""
    signature = inspect.signature(thing)
    given = list(_arguments(signature))
    answer = signature.return_annotation
    end = "" if answer in (signature.empty, None, "None") else f" -> {answer}"
    line = f"{name}({', '.join(given)}){end}"
    if len(line) <= 88:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in given), f"){end}"])


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
    """A default as it is written; dots for one that has no short form."""
    words = repr(value)
    return "{}" if words == "mappingproxy({})" else "..." if words[0] == "<" else words


def _methods(thing: type) -> Generator[str]:
    """A line for each public method and property that the class itself has a docstring for."""
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
    """A docstring in Google's form; its sections become lists, its examples code."""
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
            what, _, words = line.strip().partition(": ")
            lines.append(f"- `{what}`: {_inline(words)}")
        elif section:
            lines.append(line[4:] if section == "Example" else _inline(line[4:]))
        elif line != "::":
            lines.append(_inline(line))
    if section == "Example":
        lines.append("```")
    return "\n".join(lines)


def _inline(words: str) -> str:
    """Code in single back-ticks, as Markdown has it."""
    return words.replace("``", "`")


if __name__ == "__main__":
    REFERENCE.write_text(reference())
    print(REFERENCE.relative_to(REFERENCE.parent.parent))
