"""The Lab's script: one file of all its modules, announced with its page and with no other."""

import asyncio
import re
from graphlib import CycleError

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cnnlib.ui.common.urls import FOLDERS_WITH_ASSETS, static_folder
from cnnlib.ui.server.bundle import bundle, read_script
from cnnlib.ui.server.routes import routes
from cnnlib.ui.server.server import LabScript

LAB = "/assets/lab/lab.bundle.js"


def get(address: str, **headers: str) -> httpx.Response:
    pages = [Route(path, lambda _: PlainTextResponse("")) for path in ("/", "/build")]
    app = Starlette(routes=[*pages, *routes()], middleware=[Middleware(LabScript)])

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
            return await client.get(address, headers=headers)

    return asyncio.run(answer())


def test_every_announced_file_is_served_and_only_for_the_lab():
    assert "link" not in get("/build").headers
    addresses = re.findall(r"<([^>]+)>", get("/").headers["link"])
    assert LAB in addresses
    assert {get(address).status_code for address in addresses} == {200}


def test_a_bundle_has_every_module_once_and_imports_nothing():
    text = get(LAB).text
    assert not re.search(r"^import ", text, re.MULTILINE)
    modules = re.findall(r"^const (module\d+) = ", text, re.MULTILINE)
    exports = re.findall(r"^export .*", text, re.MULTILINE)
    assert exports == [f"export const {{ mount, unmount }} = {modules[-1]};"]
    for path in static_folder("lab").rglob("*.js"):
        assert text.count(path.read_text().partition("*/")[0]) == 1  # its opening comment


def test_an_unchanged_bundle_is_not_sent_again():
    tag = get(LAB).headers["etag"]
    assert get(LAB, **{"if-none-match": tag}).status_code == 304
    assert get(LAB, **{"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("script", ["lab/none", "lab/../common/grid", "nothing/lab", "lab", "../x"])
def test_only_scripts_of_the_static_folders_are_bundled(script):
    assert get(f"/assets/{script.replace('..', '%2e%2e')}.bundle.js").status_code == 404


def test_every_script_can_be_bundled():
    for folder in FOLDERS_WITH_ASSETS:
        for path in static_folder(folder).rglob("*.js"):
            if "uplot" not in path.parts:
                name = f"{folder}/{path.relative_to(static_folder(folder)).as_posix()}"
                assert bundle(name, read_script).startswith("const module0 = ")


def test_imports_and_exports_of_each_form():
    modules = {
        "page/main.js": 'import { one as uno, Two } from "./a.js";\n'
        'import * as b from "../common/b.js";\n'
        "export const main = () => uno + b.three(Two);\n",
        "page/a.js": 'import { three } from "../common/b.js";\n'
        "export const one = 1;\nexport class Two {}\n",
        "common/b.js": "const three = (of) => typeof of;\nconst other = 1;\n"
        "export { other, three };\n",
    }
    assert bundle("page/main.js", modules.__getitem__).splitlines() == [
        "const module0 = (() => {",
        "const three = (of) => typeof of;",
        "const other = 1;",
        "return { other, three };",
        "})();",
        "const module1 = (() => {",
        "const { three } = module0;",
        "const one = 1;",
        "class Two {}",
        "return { one, Two };",
        "})();",
        "const module2 = (() => {",
        "const { one: uno, Two } = module1;",
        "const b = module0;",
        "const main = () => uno + b.three(Two);",
        "return { main };",
        "})();",
        "export const { main } = module2;",
    ]


def test_what_cannot_be_bundled_is_an_error():
    with pytest.raises(ValueError, match="export default"):
        bundle("main.js", {"main.js": "export default 1;\n"}.__getitem__)
    circle = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}
    with pytest.raises(CycleError):
        bundle("a.js", circle.__getitem__)
