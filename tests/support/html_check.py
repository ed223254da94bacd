"""A strict reader of HTML: tags that do not match and addresses in the network are errors."""

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

_VOID = {"meta", "img", "br", "hr", "link", "input"}


class HtmlCheck(HTMLParser):
    """Reads a page; ``problems`` lists what is wrong, ``text`` is all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.problems += [f"<{tag}> is not closed" for tag in self._open]
        for part in page.split("<svg ")[1:]:
            ET.fromstring("<svg " + part.split("</svg>")[0] + "</svg>")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        for name, value in attrs:
            is_address = name in ("src", "href", "srcset", "action", "xlink:href")
            if is_address and not (value or "").startswith("data:"):
                self.problems.append(f"<{tag} {name}={value}> needs the network")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes another tag")

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text += f"{data}\n"
