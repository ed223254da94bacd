"""The glossary: a definition of each technical term that pages, commands and documents use.

The definitions are in ``glossary.txt``: a term, and below it, indented, one to three sentences in
plain text and the source of a method. The Glossary page shows them, and ``docs/make_glossary.py``
writes ``docs/glossary.md`` from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def _read_glossary() -> dict[str, str]:
    text = Path(__file__).with_name("glossary.txt").read_text(encoding="utf-8")
    entries = (entry.partition("\n") for entry in text.strip().split("\n\n"))
    return {term: " ".join(definition.split()) for term, _, definition in entries}


GLOSSARY: Mapping[str, str] = _read_glossary()  # term -> its definition


def find_terms(query: str) -> list[str]:
    """Return the terms that contain all words of a query, in their name or definition.

    Upper and lower case count as equal. Terms with all words in their name come first.

    Example:
        >>> find_terms("weight decay")
        ['Weight decay', 'AdamW']
    """
    words = query.casefold().split()
    found = [
        term
        for term, definition in GLOSSARY.items()
        if all(word in f"{term} {definition}".casefold() for word in words)
    ]
    return sorted(found, key=lambda term: not all(word in term.casefold() for word in words))
