"""Layering of the imports: every import is checked against the table of ARCHITECTURE.md."""

import ast
import re
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPEN_TO_ALL_BELOW = ("errors", "vocabulary", "records")
MOST_FILES = 20  # of a folder of cnnlib
STREAMLIT = ("streamlit", "streamlit_drawable_canvas")


@dataclass(frozen=True)
class Layer:
    """A row of the table: a layer and the layers that it may import."""

    name: str
    may_import: tuple[str, ...]  # names of layers in the row
    torch: str  # "no", "late" (inside functions), "part" or "yes"


@dataclass(frozen=True)
class Import:
    """One import statement, resolved to a full module name."""

    file: str
    line: int
    module: str
    is_late: bool  # inside a function
    is_for_types: bool  # under TYPE_CHECKING: never executed

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


# -- the table -------------------------------------------------------------------------------------


def layers() -> list[Layer]:
    """The rows of ARCHITECTURE.md's table, from the lowest layer upwards."""
    rows = re.findall(
        r"^\| (`[^|]+`) \|[^|]+\| ([^|]+) \| ([^|]+) \|$",
        (ROOT / "ARCHITECTURE.md").read_text(),
        flags=re.MULTILINE,
    )
    found = []
    for names, may_import, torch in rows:
        for name in re.findall(r"`(?:cnnlib/)?(\w+)(?:/|\.py)`", names):
            found.append(Layer(name, _layer_names(may_import, found), torch.strip()))
    return found


def _layer_names(cell: str, below: list[Layer]) -> tuple[str, ...]:
    """The layers in a cell of the column "may import"."""
    text = cell.strip()
    if text == "nothing":
        return ()
    if text.startswith("all but "):
        return tuple(layer.name for layer in below if layer.name != text.removeprefix("all but "))
    return tuple(text.split(", "))


def reachable(name: str, table: list[Layer]) -> set[str]:
    """Every layer that a layer may import: itself, those in its row, and theirs in turn."""
    order = [layer.name for layer in table]
    rows = {layer.name: layer for layer in table}
    found = {name, *(each for each in OPEN_TO_ALL_BELOW if order.index(each) < order.index(name))}
    for each in rows[name].may_import:
        found |= reachable(each, table)
    return found


# -- the imports -----------------------------------------------------------------------------------


def python_files() -> list[Path]:
    """Every file of the library, the pages and the server."""
    return [
        *sorted((ROOT / "cnnlib").rglob("*.py")),
        *sorted((ROOT / "pages").glob("*.py")),
        *ROOT.glob("app.py"),
    ]


def layer_of(file: Path) -> str:
    """The layer of a file: ``design`` for ``cnnlib/design/spec.py``, ``app`` for ``app.py``."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "cnnlib" else parts[0]


def imports_in(file: Path) -> list[Import]:
    """Every import of a file, including those inside functions."""
    package = list(file.relative_to(ROOT).with_suffix("").parts[:-1])
    return list(_imports(ast.parse(file.read_text()), file, package))


def _imports(
    node: ast.AST, file: Path, package: list[str], is_late: bool = False, is_for_types: bool = False
) -> Generator[Import]:
    """Walk a tree and yield its imports."""
    is_late = is_late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        is_for_types = True
    if isinstance(node, ast.Import | ast.ImportFrom):
        for module in _modules(node, package):
            name = str(file.relative_to(ROOT))
            yield Import(name, node.lineno, module, is_late, is_for_types)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, file, package, is_late, is_for_types)


def _modules(node: ast.Import | ast.ImportFrom, package: list[str]) -> list[str]:
    """The full names that a statement imports: ``from a import b`` gives ``a.b``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    start = package[: len(package) - node.level + 1] if node.level else []
    base = ".".join([*start, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


@cache
def all_imports() -> list[tuple[str, Import]]:
    """Every import with the layer of its file; without ``cnnlib/__init__.py``, which has none."""
    files = [file for file in python_files() if file != ROOT / "cnnlib" / "__init__.py"]
    return [(layer_of(file), each) for file in files for each in imports_in(file)]


def root_of(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def layer_of_module(module: str) -> str:
    """The layer of a module: ``design`` for ``cnnlib.design.spec``, "" for ``cnnlib`` itself."""
    return module.removeprefix("cnnlib").removeprefix(".").split(".")[0]


# -- the rules -------------------------------------------------------------------------------------


def test_every_file_is_in_a_layer_of_the_table():
    known = {layer.name for layer in layers()}
    files = [file for file in python_files() if file != ROOT / "cnnlib" / "__init__.py"]
    unknown = [str(file.relative_to(ROOT)) for file in files if layer_of(file) not in known]
    assert unknown == []


def test_imports_go_downwards_only():
    table = layers()
    # "import cnnlib" alone imports no layer: files use it to find the folder of the package.
    allowed = {layer.name: {"", *reachable(layer.name, table)} for layer in table}
    upwards = [
        str(each)
        for layer, each in all_imports()
        if root_of(each.module) == "cnnlib" and layer_of_module(each.module) not in allowed[layer]
    ]
    assert upwards == []


def test_torch_is_imported_only_in_the_layers_that_may():
    torch = {layer.name: layer.torch for layer in layers()}
    misplaced = [
        str(each)
        for layer, each in all_imports()
        if root_of(each.module) == "torch" or each.module.startswith("safetensors.torch")
        if not each.is_for_types
        if torch[layer] == "no" or (torch[layer] == "late" and not each.is_late)
    ]
    assert misplaced == []


def test_only_the_preparation_of_datasets_imports_torchvision():
    importers = {each.file for _, each in all_imports() if root_of(each.module) == "torchvision"}
    assert importers <= {"cnnlib/data/prepare.py"}


def test_only_the_pages_and_their_layer_import_streamlit():
    importers = {layer for layer, each in all_imports() if root_of(each.module) in STREAMLIT}
    assert importers <= {"ui", "pages", "app"}


def test_importing_a_light_layer_does_not_load_torch():
    light = [layer.name for layer in layers() if layer.torch in ("no", "late")]
    light += ["data/catalogue", "data/prepared"]  # data's two light halves
    here = [ROOT / "cnnlib" / name for name in light]
    paths = [path for path in here if path.is_dir() or path.with_suffix(".py").exists()]
    modules = [".".join(path.relative_to(ROOT).parts) for path in paths]
    assert _loaded_by(f"import {', '.join(modules)}", "torch", "torchvision") == []


def test_pages_import_no_module_that_imports_torch():
    """Not even inside a function: the page server asks the viewer process."""
    modules = {_module_of(file) for file in python_files()}
    executed = [each for _, each in all_imports() if not each.is_for_types]
    at_once = [
        (_module_of(ROOT / each.file), _module_in(modules, each.module))
        for each in executed
        if not each.is_late
    ]
    heavy, found = {"torch"}, set()
    while heavy != found:
        found = set(heavy)
        heavy |= {importer for importer, imported in at_once if imported in heavy}
    pages = ("cnnlib/ui/", "pages/", "app.py")
    importers = [each for each in executed if each.file.startswith(pages)]
    assert [str(each) for each in importers if _module_in(modules, each.module) in heavy] == []


def _module_in(modules: set[str], name: str) -> str:
    """The module of a full name: without the name of a function or class in it."""
    if root_of(name) == "torch":
        return "torch"
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def test_importing_cnnlib_loads_nothing_heavy():
    heavy = ("torch", "numpy", "pandas", "plotly", "sqlalchemy", "streamlit")
    assert _loaded_by("import cnnlib", *heavy) == []


def _loaded_by(statement: str, *modules: str) -> list[str]:
    """The modules of `modules` that a new Python process has loaded after a statement."""
    program = f"import sys; {statement}; print(*(set({modules}) & set(sys.modules)))"
    return subprocess.check_output([sys.executable, "-c", program], text=True).split()


def test_no_module_imports_itself_through_others():
    graph = {_module_of(file): set() for file in python_files()}
    for _, each in all_imports():
        importer = _module_of(ROOT / each.file)
        imported = each.module
        while imported and imported not in graph:
            imported = imported.rpartition(".")[0]
        if imported and imported != importer:
            graph[importer].add(imported)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"An import circle: {' -> '.join(error.args[1])}")


def _module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_page_imports_another_page():
    crossing = [
        str(each)
        for _, each in all_imports()
        if each.file.startswith("cnnlib/ui/") and each.module.startswith("cnnlib.ui.")
        if each.module.split(".")[2] not in ("common", folder := Path(each.file).parts[2])
        if folder != "server"  # which shows all of them
    ]
    assert crossing == []


def test_no_folder_has_more_than_twenty_files():
    folders = {file.parent for file in (ROOT / "cnnlib").rglob("*.*") if file.is_file()}
    counts = {
        str(folder.relative_to(ROOT)): len([file for file in folder.iterdir() if file.is_file()])
        for folder in folders
        if folder.name != "__pycache__"
    }
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_only_the_run_store_imports_its_tables_and_sql():
    importers = {layer for layer, each in all_imports() if root_of(each.module) == "sqlalchemy"}
    readers = {
        layer for layer, each in all_imports() if each.module.startswith("cnnlib.runs.tables")
    }
    assert importers | readers == {"runs"}


def test_a_generator_is_annotated_as_one():
    wrong = [
        f"{file.relative_to(ROOT)}:{function.lineno} {function.name}"
        for file in python_files()
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if function.returns
        and re.match(r"'?(Async)?Itera(tor|ble)\b", ast.unparse(function.returns))
        if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function))
    ]
    assert wrong == []


def _own_nodes(function: ast.AST) -> Generator[ast.AST]:
    """The nodes of a function without those of nested functions."""
    for node in ast.iter_child_nodes(function):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own_nodes(node)


# -- the helpers above -----------------------------------------------------------------------------


def test_a_late_relative_import_is_resolved(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "cnnlib" / "runs" / "store.py"
    file.parent.mkdir(parents=True)
    file.write_text("from . import queue\ndef f():\n    from ..design.spec import CNNSpec\n")
    # One dot is the file's own package, cnnlib.runs; two dots the one above, cnnlib.
    assert [(each.module, each.line, each.is_late) for each in imports_in(file)] == [
        ("cnnlib.runs.queue", 1, False),
        ("cnnlib.design.spec.CNNSpec", 3, True),
    ]


def test_permission_is_transitive():
    table = [
        Layer("errors", (), "no"),
        Layer("vocabulary", (), "no"),
        Layer("design", ("errors",), "no"),
        Layer("records", ("design",), "no"),
        Layer("runs", ("records",), "no"),
        Layer("figures", ("records",), "no"),
        Layer("nets", ("design",), "yes"),
    ]
    assert reachable("runs", table) == {"runs", "records", "design", "vocabulary", "errors"}
    # Records are below nets, so nets may import them although its row does not list them.
    assert reachable("nets", table) == {"nets", "records", "design", "vocabulary", "errors"}
