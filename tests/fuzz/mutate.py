"""Wrong inputs made from right ones: bytes, texts and JSON values, drawn from a seed."""

from __future__ import annotations

import copy
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

HTML = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg/onload=alert(1)>',
    "</script><script>alert(1)</script>",
    "</title></style></table><h1>x</h1>",
    "&lt;b&gt;&amp;",
    "<!-- -->",
)
MARKS = (
    "![x](http://example.com/x.png)",
    "[x](javascript:alert(1))",
    "**x** _y_ `z` ~~w~~",
    "| a | b |\n|---|---|",
    "# title\n\n- list",
    "$\\input{/etc/passwd}$",
    "\\write18{id} \\end{tabular}",
    "%&#_{}~^\\",
    ":red[x] :material/home: :smile:",
    '=HYPERLINK("http://example.com")',
    "{x} {0} %s %(x)s",
)
PATHS = (
    "../../../../tmp/x",
    "..",
    ".",
    "/etc/passwd",
    "C:\\windows\\x",
    "a/../../b",
    "\\\\host\\share",
    "CON",
    ".hidden",
    "file:///etc/passwd",
    "~root/x",
)
ODD = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\r\n\t",
    "\x1b[31m",
    "\u202eabc",
    "\ufeff",
    "\ud800",
    "a" * 121,
    "é" * 5000,
    "👩‍👩‍👧" * 40,
    "NaN",
    "-1",
    "1e999",
    "0x10",
    "٣",
    "None",
    "true",
    "[]",
    "{}",
    "%00%2e%2e%2f",
)
TEXTS = HTML + MARKS + PATHS + ODD
NUMBERS = (
    *(0, -1, 1, 2, 3, 7, 255, 256, 4096, 65_536, 2**31 - 1, 2**31, 2**63, 2**64, 10**30, 10**400),
    *(0.5, -0.0, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"), True, False, None),
)


def text(random: Random) -> str:
    """Any text, most often one that has done harm somewhere."""
    match random.randrange(4):
        case 0 | 1:
            return random.choice(TEXTS)
        case 2:
            return random.choice(TEXTS) + random.choice(TEXTS)
        case _:
            pool = "abcxyz019 -_.~/\\<>&\"'$%{}[]()|\n\x00é\u4e2d\U0001f600"
            return "".join(random.choice(pool) for _ in range(random.randrange(1, 40)))


def value(random: Random, depth: int = 0) -> Any:
    """Any value that JSON can say."""
    match random.randrange(8):
        case 0 | 1 | 2:
            return random.choice(NUMBERS)
        case 3 | 4:
            return text(random)
        case 5:
            return random.randint(-5, 200)
        case 6 if depth < 3:
            return [value(random, depth + 1) for _ in range(random.randrange(5))]
        case 7 if depth < 3:
            return {text(random): value(random, depth + 1) for _ in range(random.randrange(4))}
    return random.random()


def in_json(random: Random, valid: Any, most: int = 3) -> Any:
    """A copy of a JSON value with a few of its parts changed, left out or added."""
    changed = [copy.deepcopy(valid)]
    for _ in range(random.randint(1, most)):
        _change_one(random, changed)
    return changed[0]


def _change_one(random: Random, root: list[Any]) -> None:
    holder, key = root, 0
    while isinstance(holder[key], dict | list) and holder[key] and random.random() < 0.85:
        holder = holder[key]
        key = (
            random.choice(list(holder))
            if isinstance(holder, dict)
            else random.randrange(len(holder))
        )
    match random.randrange(6):
        case 0 if holder is not root:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[text(random)] = value(random)
        case 2 if isinstance(holder, list) and holder is not root:
            holder.insert(key, copy.deepcopy(holder[key]))
        case 3:
            holder[key] = near(random, holder[key])
        case _:
            holder[key] = value(random)


def near(random: Random, old: Any) -> Any:
    """Another value of the same kind: these come past the first checks."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return old + random.choice((-1, 1, 2, 10, 1000, -old, 10**9))
    if isinstance(old, float):
        return old * random.choice((-1.0, 0.0, 2.0, 1e9, 1e300))
    if isinstance(old, str):
        return in_text(random, old)
    return old


def in_text(random: Random, valid: str) -> str:
    """A text with a few of its signs changed."""
    letters = list(valid)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(letters) + 1)
        match random.randrange(5):
            case 0:
                letters[place : place + 1] = [random.choice("0123456789.~-x,/%abcz\x00é")]
            case 1:
                letters[place : place + random.randint(1, 5)] = []
            case 2:
                letters[place:place] = list(random.choice(TEXTS)[:200])
            case 3:
                letters[place:place] = letters[: random.randint(0, 30)]
            case _:
                letters[place:place] = [str(random.choice(NUMBERS))[:400]]
    return "".join(letters)


def in_bytes(random: Random, valid: bytes, most: int = 6) -> bytes:
    """Bytes with a few of them changed, moved, doubled or left out."""
    content = bytearray(valid)
    for _ in range(random.randint(1, most)):
        size = len(content)
        place = random.randrange(size + 1)
        length = random.choice((1, 1, 2, 4, 8, 64, 1000))
        match random.randrange(8):
            case 0 if place < size:
                content[place] ^= 1 << random.randrange(8)
            case 1:
                content[place : place + length] = random.randbytes(length)
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = content[place : place + length]
            case 4:
                del content[random.randrange(size // 2, size + 1) :]
            case 5:
                number = random.choice((0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x8000_0000))
                form = random.choice(("<I", ">I", "<Q", ">Q"))
                content[place : place + struct.calcsize(form)] = struct.pack(form, number)
            case 6:
                other = random.randrange(size + 1)
                content[place : place + length] = content[other : other + length]
            case _:
                content += random.randbytes(length)
    return bytes(content)
