"""Rules of the house that no other tool checks."""

import ast
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("domain", "projections", "adapters", "api", "workers")
CORE = ("domain", "projections")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50

# What asks the world for something that a replay could not ask again.
WORLDLY_MODULES = {"os", "random", "secrets", "socket", "subprocess", "time", "uuid"}
WORLDLY_CALLS = {"now", "utcnow", "today", "urandom", "uuid1", "uuid4"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(packages: tuple[str, ...]) -> list[Path]:
    """Every Python file of some packages."""
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def named(path: Path) -> str:
    """A file's path as a test's id."""
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    """Every function of a file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level names of what a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def asked(tree: ast.AST) -> Iterator[str]:
    """The names of what is called on something, as `now` in `datetime.now()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


@pytest.mark.parametrize("path", sources(PACKAGES), ids=named)
def test_a_file_fits_in_the_head(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= FILE_LINES_MAX, f"{lines} lines"


@pytest.mark.parametrize("path", sources(PACKAGES), ids=named)
def test_a_function_fits_on_a_page(path: Path) -> None:
    long = {
        function.name: lines
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long


@pytest.mark.parametrize("path", sources(CORE), ids=named)
def test_the_core_asks_no_clock_and_throws_no_dice(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not WORLDLY_MODULES & set(imported(tree))
    assert not WORLDLY_CALLS & set(asked(tree))


def test_the_guard_of_the_core_sees_a_clock_when_there_is_one() -> None:
    tree = ast.parse("import time\nfrom datetime import UTC, datetime\nx = datetime.now(UTC)")
    assert WORLDLY_MODULES & set(imported(tree)) == {"time"}
    assert WORLDLY_CALLS & set(asked(tree)) == {"now"}


def test_no_dependency_brings_a_package_named_like_one_of_ours() -> None:
    owners = importlib.metadata.packages_distributions()
    for package in PACKAGES:
        assert set(owners.get(package, ())) <= {"daybook"}, package


def test_no_module_of_the_standard_library_is_named_like_one_of_ours() -> None:
    assert not set(PACKAGES) & set(sys.stdlib_module_names)
