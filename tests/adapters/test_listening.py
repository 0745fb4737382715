"""Where the web server listens is known from the data folder, or not at all."""

from pathlib import Path

import msgspec
import pytest

from adapters.config import Settings
from adapters.listening import NAME, as_listening, note


@pytest.mark.parametrize(("bind", "port"), [("127.0.0.1", 3000), ("0.0.0.0", 80), ("::1", 65535)])  # noqa: S104
def test_what_was_noted_is_read_whatever_else_is_set(tmp_path: Path, bind: str, port: int) -> None:
    note(Settings(data=tmp_path / "data", bind="192.0.2.1", port=1))
    note(Settings(data=tmp_path / "data", bind=bind, port=port))
    asked = Settings(data=tmp_path / "data", domain="a.example")
    assert as_listening(asked) == msgspec.structs.replace(asked, bind=bind, port=port)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [NAME]


@pytest.mark.parametrize("content", [None, b"", b"127.0.0.1", b"127.0.0.1 3000", b"evil.example 80\n", b"\xff 1\n"])
def test_what_nobody_noted_is_not_known(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    assert as_listening(Settings(data=tmp_path)) is None
