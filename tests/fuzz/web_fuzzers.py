"""Addresses from strangers: the pages with their query parameters, and the server's routes."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from apps import AppTest
from random_specs import random_spec
from sample_data import class_folders, prepared_now, write_folder
from starlette.applications import Starlette

from cnnlib.compare.annotations import Annotation
from cnnlib.compare.results_table import ResultsTable
from cnnlib.design.link import encode
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.ui.common import urls
from cnnlib.ui.server.routes import routes
from fuzz import mutate
from fuzz.guard import Guard
from fuzz.readers import a_told_run

if TYPE_CHECKING:
    from collections.abc import Generator
    from random import Random

MAIN = Path(urls.__file__).parents[1] / "server" / "main.py"
PAGES = {path.stem: path for path in sorted(urls.PAGES.glob("*.py"))}
PARAMETERS = (
    *("run", "design", "dataset", "step", "picture", "layer", "view", "duel", "experiment"),
    *("batch", "optimizer", "pinned", "moment", "class", "unknown"),
)
IMAGE = "http://example.com/x.png"  # what no page may load because a name says so
NAMES = ("<img src=x onerror=alert(1)>", f"![x]({IMAGE})", "[x](javascript:alert(1)) $x$ `y`")


class Pages:
    """Every page under any address, over runs and datasets with names that nobody should give."""

    def __init__(self, folder: Path) -> None:
        logging.getLogger("streamlit").setLevel(logging.CRITICAL)
        folders = Folders.from_environment()
        own = class_folders({NAMES[1].replace("/", "_"): 12, "<b>x": 12, "$y$": 12})
        write_folder(folders.data / "<b onclick=x>", own)
        prepared_now("folder:<b onclick=x>", folders)
        seen = prepared_now("digits", folders).info.fingerprint
        self.store = RunStore(folders)
        self.runs = [a_told_run(self.store, name, seen, group=name) for name in NAMES]
        for row in (desk := ResultsTable(self.store)).rows():
            desk.annotate(row.key, Annotation(note=" ".join(NAMES), tags=NAMES[:2]))
        # What pages keep in Streamlit's cache is pickled by it, and unpickled from memory.
        self.guard = Guard([folders.runs, folders.data, folder], counts_pickles=False)

    def draw(self, random: Random) -> list[tuple[str, dict[str, str | list[str]]]]:
        return [
            (random.choice(list(PAGES)), self._query(random)) for _ in range(random.randint(1, 3))
        ]

    def check(self, case: list[tuple[str, dict[str, str | list[str]]]]) -> None:
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        app.run()
        for page, query in case:
            for name in list(app.query_params):
                del app.query_params[name]
            for name, value in query.items():
                app.query_params[name] = value
            app.switch_page(str(PAGES[page])).run()
            assert not app.exception, f"{page}: {app.exception[0].stack_trace}"
            for kind, body in bodies(app):
                assert_harmless(kind, body)
        self._end_what_began()

    def _query(self, random: Random) -> dict[str, str | list[str]]:
        names = random.sample(PARAMETERS, random.randint(0, 4))
        return {name: self._value(random, name) for name in names}

    def _value(self, random: Random, name: str) -> str | list[str]:
        if name == "run" and random.random() < 0.7:
            found = random.sample(self.runs, random.randint(1, 3))
            return found if random.random() < 0.7 else [*found, _in_an_address(random)]
        if name in ("design", "pinned") and random.random() < 0.8:
            link = encode(random_spec_that_reads(random))
            return link if random.random() < 0.5 else mutate.in_text(random, link)
        if name == "dataset" and random.random() < 0.5:
            names = ("digits", "mnist", "folder:<b onclick=x>", "folder:..", "folder:")
            return random.choice(names)
        if random.random() < 0.3:
            return str(random.choice((0, 1, 5, 20, -1, 10**9, 3.5)))
        return _in_an_address(random)

    def _end_what_began(self) -> None:
        for run in self.store.runs():
            if run.id not in self.runs and not run.is_live:
                self.store.delete(run.id)


def _in_an_address(random: Random) -> str:
    """Any text that an address can hold: it is bytes, and half a surrogate pair has none."""
    return mutate.text(random).replace("\ud800", "?")


class Routes:
    """The routes beside the pages: an answer in JSON, whatever is asked."""

    def __init__(self, folder: Path) -> None:
        folders = Folders.from_environment()
        self.store = RunStore(folders)
        self.run_id = a_told_run(self.store, NAMES[0])
        self.guard = Guard([folders.runs, folder], counts_pickles=False)
        self.server = Starlette(routes=routes())

    def draw(self, random: Random) -> str:
        run_id = self.run_id if random.random() < 0.5 else quote(_sendable(random), safe="")
        what = random.choice(("metrics", "words", "metrics", _sendable(random)))
        base = random.choice(("/api/runs", "/api/runs", "/assets", "/assets/train", "/api/runs/.."))
        query = "&".join(
            f"{random.choice(('after', 'after_epoch', 'x'))}={_number_or_text(random)}"
            for _ in range(random.randrange(4))
        )
        return f"{base}/{run_id}/{quote(what, safe=random.choice(('', '/.')))}?{query}"

    def check(self, case: str) -> None:
        answer = ask(self.server, case)
        assert answer.status_code in (200, 307, 400, 404, 405), answer.status_code
        if answer.status_code == 200 and case.startswith("/api"):
            json.loads(answer.text, parse_constant=_no_constant)
        assert b"root:" not in answer.content


def ask(server: Starlette, address: str) -> httpx.Response:
    """What a server in this process answers; an error inside of it is raised here."""

    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(server)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(address)

    return asyncio.run(asking())


def _sendable(random: Random) -> str:
    """Text that fits into an address: it has bytes."""
    return mutate.text(random).encode("utf-8", "replace").decode()[:2000]


def _number_or_text(random: Random) -> str:
    if random.random() < 0.5:
        return str(random.choice((0, 3, 20, 10**14, 10**15, -1, 1.5)))
    return quote(_sendable(random))


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def random_spec_that_reads(random: Random) -> Any:
    """A spec that can be made; it may not plan."""
    from cnnlib.errors import SpecError

    while True:
        try:
            return random_spec(random)
        except SpecError:
            continue


# -- what a page shows -----------------------------------------------------------------------------


def bodies(app: AppTest) -> Generator[tuple[str, str]]:
    """All texts of a page that a browser reads as Markdown or HTML."""
    for element in app.main:
        yield from _texts(element)
    for element in app.sidebar:
        yield from _texts(element)


def _texts(element: Any) -> Generator[tuple[str, str]]:
    proto = getattr(element, "proto", None)
    if proto is None:
        return
    kind = getattr(element, "type", "")
    if kind == "html":
        yield "html", proto.body
        return
    for name in ("body", "label", "help", "text", "delta", "caption"):
        value = getattr(proto, name, "")
        if isinstance(value, str) and value and kind not in ("code", "json", "text"):
            yield ("html" if getattr(proto, "allow_html", False) else "markdown"), value


_ALLOWED_TAGS = {
    *("div", "figure", "figcaption", "img", "span", "p", "b", "i", "br", "table", "tr", "td", "th"),
    *("tbody", "thead", "small", "svg", "g", "rect", "path", "text", "title", "style", "line"),
    *("a", "strong", "em", "ul", "li", "h1", "h2", "h3", "sup", "sub", "section", "code", "tspan"),
}


class _Tags(HTMLParser):
    """What a browser would make of a text."""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in _ALLOWED_TAGS, f"<{tag}> comes from a name"
        for name, value in attributes:
            assert not name.startswith("on"), f"{name} comes from a name"
            assert not (value or "").strip().lower().startswith("javascript:")
            if name == "src":
                assert (value or "").startswith("data:"), f"src={value!r} comes from a name"


def assert_harmless(kind: str, body: str) -> None:
    """Nothing in it comes alive that came from a name."""
    if kind == "html":
        parser = _Tags()
        parser.feed(body)
        parser.close()
        return
    live = re.search(r"(?<!\\)!\[[^\]]*(?<!\\)\]\(" + re.escape(IMAGE), body)
    assert not live or _in_code(body, live.start()), f"a name loads a picture: {body[:300]!r}"


def _in_code(body: str, place: int) -> bool:
    """The place lies within backticks."""
    return body[:place].count("`") % 2 == 1
