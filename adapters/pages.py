"""Pages that were made already, for as long as nothing that they were made from has changed.

A page knows its entities (projections/touched.py) and the *tick* at which it was known to be true: how many times
anything had been told to be touched before its rows were read. It holds while none of its entities was touched after
that. What is touched is told by the projector (adapters/postgres/touching.py), once it can be read; while nobody
listens, and whenever something may have been missed, there are no pages (docs/adr/0019-pages-are-kept.md).
"""

import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from projections import touched
from projections.status_queries import StatusRow

LIFE_S_MAX: Final = 300.0
"""However true it seems: a mistake heals, and what making a page sets off besides is not put off for ever."""
PAGES_SHARE: Final = 16
"""The part of all memory that one page may take: 1 of so many."""
# Two halves of the entities that are remembered as touched; some 130 bytes each.
_HALF: Final = 25_000
# What Python takes for a page besides its bytes, roughly.
_OVERHEAD: Final = 1_500
_OVERHEAD_OF_LINE: Final = 150
_INTEGERS: Final = "q"

Headers = Sequence[tuple[bytes, bytes]]


class Making:
    """What a page is made from, noted while it is made. It is kept if whoever makes it says that this is `all`."""

    def __init__(self, tick: int) -> None:
        self.tick = tick
        self.entities: set[int] = set()
        self.life_s = LIFE_S_MAX
        self.all = False

    def of(self, *entities: int) -> None:
        """It depends on these entities."""
        self.entities.update(entities)

    def all_of(self, *entities: int) -> None:
        """It depends on these, on the statuses that are told on it, and on nothing else: it may be kept."""
        self.entities.update(entities)
        self.all = True

    def tells(self, rows: Iterable[StatusRow], viewer: int | None) -> None:
        """It tells this viewer of these statuses and their authors, and of what they boost."""
        if viewer is not None:
            self.entities.add(touched.viewer(viewer))
        for row in rows:
            self.entities.update((touched.status(row.id), touched.account(row.account)))
            if row.reblog_of is not None:
                self.entities.add(touched.status(row.reblog_of))


class Page:
    """A page: its body, the headers of its answer and the route that made it, and what it was made from."""

    __slots__ = ("body", "entities", "etag", "headers", "route", "size", "tick", "until")

    def __init__(self, making: Making, headers: Headers, body: bytes, etag: bytes, route: str, until: float) -> None:
        self.tick = making.tick
        self.headers = headers
        self.body = body
        self.etag = etag
        self.route = route
        self.until = until
        self.entities = array(_INTEGERS, making.entities)
        lines = sum(len(name) + len(value) + _OVERHEAD_OF_LINE for name, value in headers)
        self.size = len(body) + lines + self.entities.itemsize * len(self.entities) + _OVERHEAD


class Pages:
    """Pages by key, at most `bytes_max` of memory, the least recently asked for forgotten first. With 0 there are none.

    One a process, of its event loop alone. `asked` and `found` count requests and those of them that got one.
    """

    def __init__(self, bytes_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_max = bytes_max
        self._clock = clock
        self._held: OrderedDict[Hashable, Page] = OrderedDict()
        self._bytes = 0
        self._listening = False
        self._tick = 0
        # Entity → the tick at which it was last touched. What is older than `_since` is not remembered.
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._since = 0
        self._turned = 0
        self.asked = 0
        self.found = 0

    def begin(self) -> Making:
        """Before any row of a page is read."""
        return Making(self._tick)

    def find(self, key: Hashable) -> Page | None:
        """The page under this key, if it is still true."""
        page = self._held.get(key)
        if page is None:
            return None
        if (page.tick != self._tick and not self._holds(page)) or self._clock() >= page.until:
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return page

    def answer(self, key: Hashable) -> Page | None:
        """The same for a request, and counted."""
        page = self.find(key)
        self.asked += 1
        self.found += page is not None
        return page

    def keep(
        self, key: Hashable, making: Making, headers: Headers, body: bytes, etag: bytes = b"", route: str = ""
    ) -> None:
        """Keep a page, unless something that it is made from was touched while it was made."""
        page = Page(making, headers, body, etag, route, self._clock() + making.life_s)
        if not self._listening or not making.all or page.size > self._bytes_max // PAGES_SHARE:
            return
        if page.tick != self._tick and not self._holds(page):
            return
        self._drop(key)
        self._held[key] = page
        self._bytes += page.size
        while self._bytes > self._bytes_max:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= oldest.size

    def touch(self, entities: Iterable[int] | None) -> None:
        """These were touched; None is everything."""
        if entities is None:
            self.forget()
            return
        self._tick += 1
        for entity in entities:
            self._young[entity] = self._tick
        if len(self._young) > _HALF:
            self._since, self._turned = self._turned, self._tick
            self._old, self._young = self._young, {}

    def forget(self) -> None:
        """Anything may have been touched, also what is being made from now on from rows that were read before."""
        self._tick += 1
        self._since = self._turned = self._tick
        self._held.clear()
        self._young, self._old, self._bytes = {}, {}, 0

    def listening(self, listening: bool) -> None:
        """Says whether what is touched is heard of. Whenever that changes, all is forgotten."""
        self._listening = listening
        self.forget()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._held)

    @property
    def size(self) -> int:
        """How many bytes they take, roughly."""
        return self._bytes

    def _holds(self, page: Page) -> bool:
        if page.tick < self._since:
            return False
        for touches in (self._young, self._old):
            # Looked through at the speed of C: hardly ever is there anything to compare.
            if touches.keys().isdisjoint(page.entities):
                continue
            if any(touches.get(entity, 0) > page.tick for entity in page.entities):
                return False
        page.tick = self._tick
        return True

    def _drop(self, key: Hashable) -> None:
        page = self._held.pop(key, None)
        if page is not None:
            self._bytes -= page.size
