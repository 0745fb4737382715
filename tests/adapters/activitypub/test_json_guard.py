"""JSON from elsewhere is an object within limits, or refused with a reason."""

import msgspec
import pytest

from adapters.activitypub.json_guard import (
    DEPTH_MAX,
    KEYS_MAX,
    JsonRefused,
    decode_json_object,
    has_activitystreams_context,
)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{} trailing",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": 1e400}',
        b'{"a": ' + b"9" * 900_000 + b"}",
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\\u0000"}',
        b'{"a": [{"\\u0000": 1}]}',
        b'{"a": "\x00"}',
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
        msgspec.json.encode({str(n): n for n in range(KEYS_MAX + 1)}),
        msgspec.json.encode({"a": [{str(n): n} for n in range(KEYS_MAX + 1)]}),
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_n11_hostile_json_is_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(JsonRefused) as caught:
        decode_json_object(raw)
    assert caught.value.reason


def test_what_is_just_within_the_limits_passes() -> None:
    deep = b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX
    assert decode_json_object(deep)["a"]
    assert len(decode_json_object(msgspec.json.encode({str(n): [] for n in range(KEYS_MAX)}))) == KEYS_MAX


def test_a_backslash_before_u0000_is_text_and_not_a_nul() -> None:
    assert decode_json_object(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_many_colons_and_brackets_in_text_are_not_keys_and_levels() -> None:
    text = ":" * 20_000 + "[{" * 100
    assert decode_json_object(msgspec.json.encode({"content": text})) == {"content": text}


@pytest.mark.parametrize(
    ("context", "holds"),
    [
        ("https://www.w3.org/ns/activitystreams", True),
        (["https://w3id.org/security/v1", "https://www.w3.org/ns/activitystreams", {"a": "b"}], True),
        ("https://evil.test/ctx", False),
        ([["https://www.w3.org/ns/activitystreams"]], False),
        ({"@vocab": "https://www.w3.org/ns/activitystreams"}, False),
        (None, False),
    ],
)
def test_i14_the_context_must_name_activitystreams(context: object, holds: bool) -> None:
    assert has_activitystreams_context({"@context": context}) is holds
