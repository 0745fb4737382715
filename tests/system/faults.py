"""People who go on writing and reading while something is broken, and what they were told meanwhile."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import psycopg

from adapters.embedded.postgres import attached_dsn
from adapters.postgres import generations
from tests.system.sites import COMPLAINTS, Person, Site

WAIT_S_MAX = 120.0
LOOK_EVERY_S = 0.05
RETRY_S = 0.05


class Traffic:
    """Some who write, each under an Idempotency-Key until the answer is 200, and some who read; until `stop`.

    `posts` are the ids that were answered with 200, by key; `told` counts every answer by (who, status), where status 0
    is none at all; `bare` are those with 503 that did not say when to try again.
    """

    def __init__(self, person: Person, *, writers: int = 4, readers: int = 2) -> None:
        self.person = person
        self.posts: dict[str, str] = {}
        self.told: Counter[tuple[str, int]] = Counter()
        self.bare: list[str] = []
        self._numbers = count(1)
        self._news = threading.Condition()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._write, name=f"writer {n}") for n in range(writers)]
        self._threads += [threading.Thread(target=self._read, name=f"reader {n}") for n in range(readers)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, who: str, status: int, *, more: int = 1) -> None:
        """Wait until so many more of these answers came."""
        with self._news:
            before = self.told[who, status]
            done = self._news.wait_for(lambda: self.told[who, status] >= before + more, WAIT_S_MAX)
        assert done, f"{who} got no {status}: {dict(self.told)}"

    def stop(self) -> None:
        """Let everybody finish what they are at: who writes tries until it is done."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(WAIT_S_MAX)

    def _write(self) -> None:
        while not self._stopped.is_set():
            number = next(self._numbers)
            for _ in range(int(WAIT_S_MAX / RETRY_S)):
                answer = self._asked("writers", "POST", "/api/v1/statuses", number)
                if answer is not None and answer.status_code == httpx.codes.OK:
                    self.posts[f"key {number}"] = answer.json()["id"]
                    break
                threading.Event().wait(RETRY_S)  # as a client too would let some time pass

    def _read(self) -> None:
        while not self._stopped.is_set():
            self._asked("readers", "GET", "/api/v1/timelines/home", None)
            self._stopped.wait(RETRY_S)

    def _asked(self, who: str, method: str, path: str, number: int | None) -> httpx.Response | None:
        said: dict[str, Any] = {}
        if number is not None:
            said = {"json": {"status": f"Post {number}"}, "headers": {"Idempotency-Key": f"key {number}"}}
        answer = None
        try:
            answer = self.person.client.request(method, path, **said)
        except httpx.TransportError as error:
            self.bare.append(repr(error))
        with self._news:
            self.told[who, 0 if answer is None else answer.status_code] += 1
            if answer is not None and answer.status_code == 503 and "Retry-After" not in answer.headers:
                self.bare.append(f"{who}: {answer.text}")
            self._news.notify_all()
        return answer


@contextmanager
def traffic(person: Person, **sizes: int) -> Iterator[Traffic]:
    """Traffic until the block ends."""
    made = Traffic(person, **sizes)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def told_of(site: Site, since: int) -> list[str]:
    """What an operator was told behind the first `since` lines, but for the line that each request has."""
    said = [line for line in site.instance.said[since:] if any(word in line for word in COMPLAINTS)]
    return [line for line in said if "daybook.request" not in line]


def owner_of(site: Site) -> psycopg.Connection:
    """The owner's connection to a site's own PostgreSQL."""
    dsn = attached_dsn(site.data)
    assert dsn is not None
    return psycopg.connect(dsn, autocommit=True)


def live_rows(site: Site, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Of the live read models."""
    with owner_of(site) as owner:
        live = generations.live(owner)
        assert live is not None
        owner.execute(f"SET search_path TO {live.schema}".encode())
        return owner.execute(sql.encode(), values).fetchall()


def waited_for(holds: Callable[[], object], otherwise: Callable[[], str] | str, timeout_s: float = WAIT_S_MAX) -> None:
    """Look until something holds; `otherwise` is what to say when it never does."""
    pause = threading.Event()
    for _ in range(int(timeout_s / LOOK_EVERY_S)):
        if holds():
            return
        pause.wait(LOOK_EVERY_S)
    raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())


def posts_of(person: Person, made: Collection[str]) -> list[str]:
    """The ids of all that they have posted, as the API lists them, newest first, once all of `made` are among them.

    Who reads waits for what they wrote for a moment only; what comes back after a fault may need longer than that.
    """
    found: list[str] = []

    def are_there() -> bool:
        found[:] = _listed(person)
        return set(made) <= set(found)

    waited_for(are_there, lambda: f"of {len(made)} posts {sorted(set(made) - set(found))} never came")
    return found


def _listed(person: Person) -> list[str]:
    found: list[str] = []
    while page := person.get(f"/api/v1/accounts/{person.id}/statuses", limit=40, **_before(found)):
        found += [status["id"] for status in page]
    return found


def _before(found: list[str]) -> dict[str, str]:
    return {"max_id": found[-1]} if found else {}
