"""The envelope: how an event becomes sealed bytes for the log, and an event again.

state = format byte ‖ nonce (12) ‖ AES-256-GCM(zstd(MessagePack of the event)), bound to its stream and topic.
In format 2 zstd knows the words of envelope.words beforehand; in format 1, which is only read, it knows none.
Each event has a random data key of its own, wrapped by the master key (nonce 12 ‖ 32 + 16 bytes) and kept apart from
the log: destroy the key and the content is gone for good.
"""

import hmac
import os
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.catalogue import BY_TOPIC
from domain.events import Event, topic_of

WORDLESS, FORMAT = b"\x01", b"\x02"
# What activities have in common, as a raw content dictionary (RFC 8878, section 5). Never to be changed: all that was
# sealed in format 2 needs these very bytes. Other words are another file, and another format.
WORDS = Path(__file__).with_name("envelope.words")
NONCE_BYTES = 12
KEY_BYTES = 32
EVENT_BYTES_MAX = 8 * 1024 * 1024
_WRAP_CONTEXT = b"daybook event key"
_SECRET_CONTEXT = b"daybook secret"


class Unreadable(Exception):
    """The sealed bytes can't be opened: wrong or destroyed key, other stream or topic, unknown format, not whole."""


class Sealed(NamedTuple):
    """An event ready for the log. Without a wrapped key nobody can open it again."""

    topic: str
    state: bytes
    wrapped_key: bytes | None


class Codec:
    """Seals and opens events under a 32-byte master key. Safe to share between threads."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"the master key must be {KEY_BYTES} bytes, not {len(master_key)}")
        self._master = AESGCM(master_key)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoders = {topic: msgspec.msgpack.Decoder(kind) for topic, kind in BY_TOPIC.items()}
        self._words = zstandard.ZstdCompressionDict(WORDS.read_bytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        self._local = threading.local()

    def seal(self, stream: str, event: Event) -> Sealed:
        """Seal an event for its stream under a fresh key. Raises ValueError when it is larger than 8 MiB."""
        topic = topic_of(event)
        plain = self._encoder.encode(event)
        if len(plain) > EVENT_BYTES_MAX:
            raise ValueError(f"{topic} of {len(plain)} bytes is more than an event may have")
        random = os.urandom(KEY_BYTES + 2 * NONCE_BYTES)
        key, nonce, wrap_nonce = random[:32], random[32:44], random[44:]
        packed = self._compressor().compress(plain)
        state = FORMAT + nonce + AESGCM(key).encrypt(nonce, packed, self._bound_to(stream, topic))
        return Sealed(topic, state, wrap_nonce + self._master.encrypt(wrap_nonce, key, _WRAP_CONTEXT))

    def open(self, stream: str, topic: str, state: bytes, wrapped_key: bytes | None) -> Event:
        """Open what `seal` made. Raises Unreadable."""
        if state[:1] not in (FORMAT, WORDLESS):
            raise Unreadable(f"unknown format {state[:1]!r}")
        if wrapped_key is None:
            raise Unreadable("the key was destroyed")
        if topic not in self._decoders:
            raise Unreadable(f"unknown kind of event {topic!r}")
        try:
            key = self._master.decrypt(wrapped_key[:NONCE_BYTES], wrapped_key[NONCE_BYTES:], _WRAP_CONTEXT)
            packed = AESGCM(key).decrypt(state[1:13], state[13:], self._bound_to(stream, topic))
            return self._decoders[topic].decode(self._unpacked(packed, state[:1]))
        except InvalidTag as error:
            raise Unreadable("wrong key, or not this stream and topic") from error
        except (ValueError, zstandard.ZstdError, msgspec.MsgspecError) as error:
            raise Unreadable(f"not what was sealed: {error}") from error

    def wrap_secret(self, secret: bytes) -> bytes:
        """Wrap a secret that rests in the database (a private key, the pepper)."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, secret, _SECRET_CONTEXT)

    def unwrap_secret(self, wrapped: bytes) -> bytes:
        """Raises Unreadable when the master key is not the one it was wrapped by."""
        try:
            return self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _SECRET_CONTEXT)
        except InvalidTag as error:
            raise Unreadable("this master key did not wrap it") from error

    def _bound_to(self, stream: str, topic: str) -> bytes:
        return self._encoder.encode([stream, topic])

    def _unpacked(self, packed: bytes, how: bytes) -> bytes:
        # A frame that names its size gets as much memory as it names, whatever max_output_size says.
        if zstandard.frame_content_size(packed) > EVENT_BYTES_MAX:
            raise ValueError("larger than an event may be")
        return self._decompressors()[how].decompress(packed, max_output_size=EVENT_BYTES_MAX)

    def _compressor(self) -> zstandard.ZstdCompressor:
        if not hasattr(self._local, "compressor"):
            self._local.compressor = zstandard.ZstdCompressor(level=3, dict_data=self._words)
        return self._local.compressor

    def _decompressors(self) -> dict[bytes, zstandard.ZstdDecompressor]:
        if not hasattr(self._local, "decompressors"):
            self._local.decompressors = {
                WORDLESS: zstandard.ZstdDecompressor(),
                FORMAT: zstandard.ZstdDecompressor(dict_data=self._words),
            }
        return self._local.decompressors


class Pepper:
    """Keyed hashes under the instance's pepper: what stands in stream names instead of names and URIs."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def hash(self, *parts: str | bytes) -> bytes:
        """HMAC-SHA-256 of the MessagePack array of the parts, 32 bytes."""
        return hmac.digest(self._pepper, msgspec.msgpack.encode(parts), "sha256")
