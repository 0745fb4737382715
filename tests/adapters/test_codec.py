"""The envelope: nobody opens an event without its key, under another stream or topic, or after a change."""

import base64
import os
from hashlib import sha256

import msgspec
import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from adapters.codec import EVENT_BYTES_MAX, FORMAT, KEY_BYTES, NONCE_BYTES, WORDS, Codec, Pepper, Unreadable
from domain.activity import ActivityReceived, Evidence
from domain.follow import FollowRequested
from tests.database import MASTER_KEY
from tests.domain.deciding import NOW

STREAM = "follow:1:2"
EVENT = FollowRequested(follower=1, followee=2, request="r")
codec = Codec(MASTER_KEY)


# An event as each format sealed it, and its wrapped key: base64. They must open for ever.
SEALED = {
    1: (
        "ASw2VuXfZOs/cnMQ3o60YYy4szAQVWcJVgrypEv5DGSOwfoNrQk7WlPKh85o5uD4MYi/FNseM7J2ZXcrorAHkoA2b3szfe4ZL9Es6HQGMcDY"
        "E7q89xr8qofq1V3Rl89LH56quEcKMOKZcBTd91DaE35puumepiVMn7DUZPCmPKk=",
        "Tp5sxz4DLZ5ot/Paor7POvjjLRVyzvvuHPco3ivipE8aHVb1xEU0FYooyL34UNF8iSePUyitHT3yvq2+",
    ),
    2: (
        "AmPrPTXtcRkWr+G+OuW86OWEt/R09Rf8AifW/fA4i8ZSGFt9wafndAldArCY6uRMMXM6uQdZhWpOjiJxaHtyXsGiMNmHll+EiIZRZ1FmVXsV"
        "GZi8ksgQ3MYTXutzJUluVMhzArAUnCii9aY=",
        "74Yuzrh7T5zZZoT9/QjO1QM5UhXaXo+WJ2cSyRWJDZJBiRLgsNSkmsj0+SnIe7aa6FBuYm7wNl8UU/80",
    ),
}


@pytest.mark.parametrize("version", SEALED)
def test_what_was_ever_sealed_opens(version: int) -> None:
    state, key = map(base64.b64decode, SEALED[version])
    assert state[0] == version
    asked = FollowRequested(follower=1, followee=2, request="https://there.example/users/ann#follows/1")
    assert codec.open(STREAM, "follow.requested", state, key) == asked


def test_the_words_that_events_were_sealed_with_are_as_they_were() -> None:
    assert sha256(WORDS.read_bytes()).hexdigest() == "d39fa74e0135257d4c286aaf58c007c727341bbeb92f21487bf2b621c85570b2"


@given(st.binary(max_size=3000))
def test_raw_bytes_stay_bytes(raw: bytes) -> None:
    evidence = Evidence(key_id="k", signed_lines=raw, signature=raw, key=raw)
    event = ActivityReceived(signer="s", inbox="/inbox", raw=raw, evidence=evidence, received_at=NOW)
    topic, state, key = codec.seal("activity:x", event)
    assert codec.open("activity:x", topic, state, key) == event


def test_the_same_event_twice_is_sealed_under_different_keys() -> None:
    first, second = codec.seal(STREAM, EVENT), codec.seal(STREAM, EVENT)
    assert first.state != second.state and first.wrapped_key != second.wrapped_key
    with pytest.raises(Unreadable):
        codec.open(STREAM, first.topic, first.state, second.wrapped_key)


def test_an_event_opens_only_as_what_and_where_it_was_sealed() -> None:
    topic, state, key = codec.seal(STREAM, EVENT)
    for stream, kind in (("follow:1:3", topic), (STREAM, "follow.accepted")):
        with pytest.raises(Unreadable):
            codec.open(stream, kind, state, key)


@pytest.mark.parametrize("place", [0, 1, 20, -1])
def test_a_changed_byte_is_found(place: int) -> None:
    topic, state, key = codec.seal(STREAM, EVENT)
    changed = bytearray(state)
    changed[place] ^= 1
    with pytest.raises(Unreadable):
        codec.open(STREAM, topic, bytes(changed), key)


def test_without_its_key_or_with_another_master_key_content_is_gone() -> None:
    topic, state, key = codec.seal(STREAM, EVENT)
    with pytest.raises(Unreadable, match="destroyed"):
        codec.open(STREAM, topic, state, None)
    with pytest.raises(Unreadable):
        Codec(os.urandom(32)).open(STREAM, topic, state, key)


def test_an_unknown_kind_is_said_to_be_unknown() -> None:
    _, state, key = codec.seal(STREAM, EVENT)
    with pytest.raises(Unreadable, match="unknown kind"):
        codec.open(STREAM, "poll.voted", state, key)


def sealed_by_hand(packed: bytes) -> tuple[bytes, bytes]:
    """State and wrapped key of bytes that no `seal` would make, under the right keys and for the right stream."""
    key, nonce = os.urandom(KEY_BYTES), bytes(NONCE_BYTES)
    bound_to = msgspec.msgpack.encode([STREAM, "follow.requested"])
    wrapped_key = nonce + AESGCM(MASTER_KEY).encrypt(nonce, key, b"daybook event key")
    return FORMAT + nonce + AESGCM(key).encrypt(nonce, packed, bound_to), wrapped_key


@pytest.mark.parametrize("length", [0, 5, NONCE_BYTES, NONCE_BYTES + 15])
def test_a_key_or_a_state_cut_short_is_unreadable(length: int) -> None:
    topic, state, key = codec.seal(STREAM, EVENT)
    assert key is not None
    with pytest.raises(Unreadable):
        codec.open(STREAM, topic, state, key[:length])
    with pytest.raises(Unreadable):
        codec.open(STREAM, topic, state[:length], key)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"no frame",
        zstandard.compress(b"no MessagePack"),
        zstandard.compress(msgspec.msgpack.encode({"follower": "x"})),
    ],
    ids=["nothing", "no frame", "no MessagePack", "another shape"],
)
def test_what_was_sealed_otherwise_is_unreadable(packed: bytes) -> None:
    state, key = sealed_by_hand(packed)
    with pytest.raises(Unreadable, match="not what was sealed"):
        codec.open(STREAM, "follow.requested", state, key)


@pytest.mark.parametrize("size_named", [True, False])
def test_a_small_frame_of_a_huge_event_is_not_unpacked(size_named: bool) -> None:
    packer = zstandard.ZstdCompressor(write_content_size=size_named).compressobj(
        size=EVENT_BYTES_MAX + 1 if size_named else -1
    )
    state, key = sealed_by_hand(packer.compress(bytes(EVENT_BYTES_MAX + 1)) + packer.flush())
    assert len(state) < 10_000
    with pytest.raises(Unreadable, match="larger than" if size_named else "not what was sealed"):
        codec.open(STREAM, "follow.requested", state, key)


def test_an_event_that_could_not_be_opened_again_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="more than an event may have"):
        codec.seal(STREAM, FollowRequested(follower=1, followee=2, request="r" * EVENT_BYTES_MAX))


def test_secrets_open_only_under_the_master_key_that_wrapped_them() -> None:
    wrapped = codec.wrap_secret(b"pepper")
    assert codec.unwrap_secret(wrapped) == b"pepper"
    with pytest.raises(Unreadable):
        Codec(os.urandom(32)).unwrap_secret(wrapped)


def test_parts_of_a_keyed_hash_do_not_run_into_each_other() -> None:
    pepper = Pepper(b"p" * 32)
    assert pepper.hash("ab", "c") != pepper.hash("a", "bc")
    assert pepper.hash("a") != Pepper(b"q" * 32).hash("a")
