"""Reading the log ahead in processes of their own: translating is Python's work, and a process of Python has one core.

Each child reads spans over a connection of its own, opens and translates them, and answers in MessagePack: what a span
claims, some hundreds of bytes an event, in the order in which spans were asked for. A child ends when its standard
input does, however its parent ended.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Union

import msgspec
import psycopg

from adapters.codec import Codec
from adapters.interpreter.claims import Claim
from adapters.interpreter.ids import Proposal
from adapters.interpreter.interpret import Interpreter, Translated
from adapters.interpreter.state import Parked
from adapters.logs import set_up
from adapters.postgres.reading_ahead import BATCH_BYTES_MAX, Batch, Reader, ReadingAhead, Span
from domain.catalogue import KINDS
from domain.events import Event
from domain.ports import Recorded

CORES_FOR_TWO = 4
_LENGTH_BYTES = 8

# By their tags, as in the log.
if TYPE_CHECKING:
    AnyEvent = Event
else:
    AnyEvent = Union[KINDS]  # noqa: UP007 - of a list that is known when this runs


def children_here() -> int:
    """How many are of use on this machine: one reads faster than a projector writes, by more than half."""
    cores = os.cpu_count() or 1
    return 0 if cores == 1 else 1 if cores < CORES_FOR_TWO else 2


class Work(msgspec.Struct, frozen=True):
    """What a child is to know: over its standard input, since others may read a command line."""

    dsn: str
    master_key: bytes
    origin: str
    bytes_max: int = BATCH_BYTES_MAX


class _Sent(Claim, frozen=True, kw_only=True, omit_defaults=True):
    event: AnyEvent | None = None


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    positions: list[int]
    claims: list[_Sent]
    poisoned: list[Parked]
    proposed: list[Proposal]
    more: bool


_ENCODER = msgspec.msgpack.Encoder()
_ANSWERS = msgspec.msgpack.Decoder(_Answer)


class _Failed(Exception):
    """A child could not do it, or is no more."""


class _Asked(NamedTuple):
    span: Span
    answer: "Future[Batch]"


class ReadingBeside:
    """As ReadingAhead, for whoever builds: as many spans ahead as there are children, and one more.

    A span that ends nowhere, or that a child fails on, is read by `at_home`, in this process. Positions are dense, so a
    span of so many events is one of so many positions.
    """

    def __init__(self, work: Work, children: int, at_home: ReadingAhead) -> None:
        self._at_home = at_home
        self._children = [_Child(work) for _ in range(children)]
        self._idle = deque(self._children)
        self._threads = ThreadPoolExecutor(children, thread_name_prefix="read-beside")
        self._asked: deque[_Asked] = deque()

    def next(self, span: Span) -> Batch:
        """The batch of a span, or its beginning where not all of it fits."""
        if span.to is None:
            return self._at_home.next(span)
        if not self._asked or not _continues(self._asked[0].span, span):
            self._forget()
            self._asked.append(self._ask(span))
        self._fill_up(span.to)
        asked = self._asked.popleft()
        try:
            batch = asked.answer.result()
        except _Failed:
            batch = self._at_home.next(asked.span)
        last = batch.positions[-1] if batch.positions else span.to
        if last < _end(asked.span):
            rest = asked.span._replace(after=last, limit=_end(asked.span) - last)
            self._asked.appendleft(self._ask(rest))
        return batch._replace(more=last < span.to)

    def at(self, positions: Sequence[int]) -> Iterator[Recorded]:
        """The events at some positions, a few at a time."""
        return self._at_home.at(positions)

    def reset(self) -> None:
        """Forget what is under way, and the connections."""
        self._forget()
        self._at_home.reset()

    def close(self) -> None:
        """End the children."""
        self._forget()
        for child in self._children:
            child.end()
        self._threads.shutdown()
        self._at_home.close()

    def _fill_up(self, to: int) -> None:
        limit = self._asked[-1].span.limit
        while len(self._asked) <= len(self._children) and (end := _end(self._asked[-1].span)) < to:
            self._asked.append(self._ask(Span(end, to, limit)))

    def _ask(self, span: Span) -> _Asked:
        return _Asked(span, self._threads.submit(self._load, span))

    def _load(self, span: Span) -> Batch:
        child = self._idle.popleft()
        try:
            return child.load(span)
        finally:
            self._idle.append(child)

    def _forget(self) -> None:
        while self._asked:
            self._asked.pop().answer.cancel()


def _continues(asked: Span, span: Span) -> bool:
    return (asked.after, asked.to) == (span.after, span.to) and asked.limit <= span.limit


def _end(span: Span) -> int:
    assert span.to is not None, "only such are asked for"
    return min(span.after + span.limit, span.to)


class _Child:
    """One process, asked by one thread at a time; started again when it died, until it is to end."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._ended = False
        self._process = self._started()

    def load(self, span: Span) -> Batch:
        """Raises _Failed."""
        if self._process.returncode is not None and not self._ended:
            self._process = self._started()
        try:
            assert self._process.stdin is not None and self._process.stdout is not None
            _send(self._process.stdin, _ENCODER.encode(span))
            said = _received(self._process.stdout)
        except (OSError, EOFError, ValueError) as error:
            self._kill()
            raise _Failed from error
        try:
            answer = _ANSWERS.decode(said)
        except msgspec.MsgspecError as error:
            raise _Failed from error
        translated = Translated(list[Claim](answer.claims), answer.poisoned, answer.proposed)
        return Batch(answer.positions, translated, answer.more)

    def end(self) -> None:
        self._ended = True
        self._kill()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "adapters.postgres.reading_beside"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C at the terminal is for its parent, which then ends it.
            start_new_session=True,
        )
        assert process.stdin is not None
        _send(process.stdin, _ENCODER.encode(self._work))
        return process

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # To close is to flush, and who was killed takes nothing more.
                with suppress(BrokenPipeError):
                    pipe.close()


def _send(to: BinaryIO | Any, message: bytes) -> None:
    to.write(len(message).to_bytes(_LENGTH_BYTES) + message)
    to.flush()


def _received(pipe: BinaryIO | Any) -> bytes:
    """Raises EOFError when the other side is gone."""
    length = pipe.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        raise EOFError
    return pipe.read(int.from_bytes(length))


def _serve(inlet: BinaryIO, outlet: BinaryIO) -> None:
    work = msgspec.msgpack.decode(_received(inlet), type=Work)
    reader = Reader(work.dsn, Codec(work.master_key), Interpreter(work.origin).translate, work.bytes_max)
    while True:
        span = msgspec.msgpack.decode(_received(inlet), type=Span)
        try:
            answer = _encoded(reader.load(span))
        except (psycopg.Error, ValueError, OverflowError, msgspec.MsgspecError):
            # Its parent reads the span itself, and meets whatever it is.
            reader.disconnect()
            answer = b""
        _send(outlet, answer)


def _encoded(batch: Batch) -> bytes:
    claims, poisoned, proposed = batch.translated
    return _ENCODER.encode([batch.positions, claims, poisoned, proposed, batch.more])


if __name__ == "__main__":
    set_up(os.environ)
    # Whoever asked is gone: there is nothing left to do, and nobody to tell.
    with suppress(EOFError, BrokenPipeError):
        _serve(sys.stdin.buffer, sys.stdout.buffer)
