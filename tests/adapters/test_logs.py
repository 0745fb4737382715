"""What is logged: one JSON object a line for programs, words for people, and no secret in either."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.config import SettingsError
from adapters.logs import MASK, REQUEST, JsonLines, Masker, TextLines, secrets_of, set_up
from adapters.request_lines import RequestLines


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Give the process its own logging back."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    for name in ("daybook", "adapters", "api", "workers", "domain", "projections"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def record(message: str, *values: object, exc_info: Any = None) -> logging.LogRecord:
    return logging.LogRecord("daybook.test", logging.WARNING, __file__, 1, message, values, exc_info)


def test_elsewhere_than_on_a_terminal_each_event_is_one_json_object_on_one_line() -> None:
    out = io.StringIO()
    set_up({}, out)
    logging.getLogger("daybook.test").info("host %s\nsays %r", "b.test", "no")
    try:
        raise RuntimeError("broken\nin two")
    except RuntimeError:
        logging.getLogger("adapters.test").exception("it failed")
    first, second = lines(out)
    assert (first["level"], first["logger"], first["message"]) == ("info", "daybook.test", "host b.test\nsays 'no'")
    assert first["at"].endswith("+00:00")
    assert (second["error"], second["message"]) == ("RuntimeError", "it failed")
    assert "broken" in second["trace"]


def test_what_ends_a_process_or_a_thread_is_a_line_as_well() -> None:
    out = io.StringIO()
    set_up({}, out)
    error = ValueError("postgresql://u:swordfish@db/x is down")
    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
    warnings.showwarning("a library's", UserWarning, "x.py", 1)
    ended, thread, warned = lines(out)
    assert ended["level"] == thread["level"] == "critical"
    assert warned["logger"] == "py.warnings"
    assert "swordfish" not in out.getvalue()


def test_what_is_said_while_a_request_is_answered_carries_its_id() -> None:
    named = REQUEST.set("abc")
    try:
        assert json.loads(JsonLines(Masker()).format(record("hello")))["request_id"] == "abc"
        assert TextLines(Masker()).format(record("hello")).endswith("hello [abc]")
    finally:
        REQUEST.reset(named)


def test_the_level_is_that_of_our_own_loggers_and_libraries_stay_quiet() -> None:
    out = io.StringIO()
    set_up({"DAYBOOK_LOG_LEVEL": "debug", "DAYBOOK_LOG": "json"}, out)
    logging.getLogger("adapters.postgres.reads").debug("ours")
    logging.getLogger("httpx").info("GET https://b.test/?access_token=x")
    assert [line["message"] for line in lines(out)] == ["ours"]


@pytest.mark.parametrize(("name", "value"), [("DAYBOOK_LOG", "xml"), ("DAYBOOK_LOG_LEVEL", "loud")])
def test_a_form_or_level_that_there_is_not_is_told(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be"):
        set_up({name: value}, io.StringIO())


def test_what_others_sent_begins_no_line_of_its_own_where_people_read() -> None:
    said = TextLines(Masker()).format(record("%s answered", "b.test\n2026-01-01 ERROR daybook: forged\x1b[2J"))
    assert "\n" not in said and "\x1b" not in said


@pytest.mark.parametrize(
    "text",
    [
        "connecting to postgresql://daybook:hunter22@db:5432/x failed",
        "connecting to redis://:hunter22@valkey failed",
        "host=db user=daybook password=hunter22 dbname=x",
        "GET /api/v1/timelines/home?access_token=hunter22&limit=1",
        "{'password': 'hunter22', 'login': 'x'}",
        '{"client_secret": "hunter22"}',
        "Authorization: Bearer hunter22",
        "code=hunter22&grant_type=authorization_code",
        'Signature: keyId="https://b.test/k",signature="hunter22"',
        "Key (lower(email))=(hunter22@mail.example) already exists.",
        "-----BEGIN PRIVATE KEY-----\nhunter22\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_or_an_address_is_masked_wherever_it_stands(text: str) -> None:
    for said in (
        TextLines(Masker()).format(record("%s", text)),
        JsonLines(Masker()).format(record("%s", text)),
        JsonLines(Masker()).format(record("failed", exc_info=(ValueError, ValueError(text), None))),
    ):
        assert "hunter22" not in said, said


def test_what_tells_who_and_where_is_not_masked() -> None:
    said = "@bob@b.test at https://b.test/users/bob answered 403 (code 403) after 16 attempts; position 12 of 400"
    assert said in TextLines(Masker()).format(record("%s", said))


def test_the_secrets_of_the_environment_are_masked_whatever_stands_around_them() -> None:
    environ = {
        "DAYBOOK_MASTER_KEY": "00" * 32,
        "DAYBOOK_METRICS_TOKEN": "metrics-metrics-1",
        "DATABASE_URL": "postgresql://o:pass%2Fword@db/x",
        "REDIS_URL": "redis://:re-dis-pw@r",
        "DAYBOOK_DATABASE_APP_URL": "postgresql://[",
    }
    mask = Masker(secrets_of(environ))
    for secret in ("00" * 32, "metrics-metrics-1", "pass%2Fword", "pass/word", "re-dis-pw"):
        assert mask(f"a{secret}b") == f"a{MASK}b"


class _Out(io.BytesIO):
    def flush(self) -> None:
        self.flushed = True


@pytest.mark.anyio
async def test_requests_are_written_together_and_none_is_lost_at_the_end() -> None:
    out = _Out()
    seen = RequestLines(out, json=True)
    seen.add("GET", "/api/v1/statuses/{status_id}", 200, 0.0123, "abc")
    seen.add("POST", "/inbox", 500, 0.5, "def")
    assert out.getvalue() == b""
    seen.write()
    first, second = map(json.loads, out.getvalue().splitlines())
    assert {name: first[name] for name in ("method", "route", "status", "ms", "request_id", "level")} == {
        "method": "GET",
        "route": "/api/v1/statuses/{status_id}",
        "status": 200,
        "ms": 12.3,
        "request_id": "abc",
        "level": "info",
    }
    assert second["level"] == "error"


@pytest.mark.anyio
async def test_a_request_that_is_answered_503_is_no_error_of_its_own() -> None:
    out = _Out()
    lines, quiet = RequestLines(out, json=True), RequestLines(out, json=False, level=logging.ERROR)
    for seen in (lines, quiet):
        seen.add("GET", "/", 503, 0.1, "abc")
        seen.write()
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert (line["status"], line["level"]) == (503, "info")


@pytest.mark.anyio
async def test_below_the_level_requests_are_not_written() -> None:
    out = _Out()
    seen = RequestLines(out, json=False, level=logging.ERROR)
    seen.add("GET", "/", 200, 0.1, "abc")
    seen.add("GET", "/", 500, 0.1, "def")
    seen.write()
    assert out.getvalue().count(b"\n") == 1 and b"GET / 500 100.0 ms [def]" in out.getvalue()
