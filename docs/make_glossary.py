"""Write the glossary from ``cnnlib/records/glossary.txt``.

    python docs/make_glossary.py        writes docs/glossary.md

A test fails if the file is out of date.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlib.records.glossary import GLOSSARY

if TYPE_CHECKING:
    from collections.abc import Generator

DOCUMENT = Path(__file__).resolve().parent / "glossary.md"


def glossary() -> str:
    """The whole glossary as Markdown: a heading, and so an anchor, for each letter and term."""
    letters = [
        (letter, list(terms)) for letter, terms in groupby(GLOSSARY, lambda term: term[0].upper())
    ]
    parts = [
        "# Glossary",
        "The technical terms of the app, the command line and the documents. The page **Glossary** "
        "of the app shows the same definitions, with a search.",
        "Made from `cnnlib/records/glossary.txt` by `python docs/make_glossary.py`; change the "
        "definitions there, not here.",
        " · ".join(f"[{letter}](#{anchor(letter)})" for letter, _ in letters),
    ]
    for letter, terms in letters:
        parts += [f"## {letter}", *_entries(terms)]
    return "\n\n".join(parts) + "\n"


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading: ``Grad-CAM`` has ``#grad-cam``."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _entries(terms: list[str]) -> Generator[str]:
    for term in terms:
        yield f"### {term}"
        yield GLOSSARY[term]


if __name__ == "__main__":
    DOCUMENT.write_text(glossary())
    print(DOCUMENT.relative_to(DOCUMENT.parent.parent))
