"""Three named ways to write the log, and no fourth: dispatch (through its port), the inbox, the fetcher."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("domain", "projections", "adapters", "api", "workers")
# The port that dispatch appends by; the inbox and the fetcher; the recorder that the library's contracts call.
MAY_WRITE = {
    "adapters/postgres/event_log.py",
    "adapters/postgres/received.py",
    "adapters/postgres/log.py",
}


def files_that_write_through_a_writer() -> set[str]:
    """The files in which `….append(…)` or `….submit(…)` is called on something that is named a writer."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(func=ast.Attribute(attr="append" | "submit", value=owner)):
                        if "writer" in ast.unparse(owner):
                            found.add(str(path.relative_to(ROOT)))
                    case _:
                        pass
    return found


def test_only_the_three_ways_use_the_writer() -> None:
    assert files_that_write_through_a_writer() == MAY_WRITE


def test_only_wiring_and_the_recorder_make_a_writer() -> None:
    makers = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "GroupWriter(" in path.read_text()
    }
    assert makers == {"adapters/wiring.py", "adapters/postgres/log.py"}


def test_only_dispatch_appends_through_the_port() -> None:
    text = (ROOT / "domain/dispatch.py").read_text()
    assert "self._log.append(" in text
    users = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "PostgresEventLog(" in path.read_text()
    }
    assert users == {"adapters/wiring.py"}


def test_nothing_else_names_the_logs_function_or_writes_its_table() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            name = str(path.relative_to(ROOT))
            assert "INSERT INTO log." not in text, name
            assert "log.append(" not in text.replace("_log.append(", "") or name == "adapters/postgres/writer.py", name


def test_only_a_restore_puts_back_what_stood_in_the_log_and_only_into_an_empty_database() -> None:
    users = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "copy_in(" in path.read_text()
    }
    assert users == {"adapters/backup/tables.py", "adapters/backup/restoring.py"}
    text = (ROOT / "adapters/backup/restoring.py").read_text()
    assert text.index("_refuse_used(owner)") < text.index("_fill(owner, folder")
