"""Several real instances on names of their own (a.test, b.test), people on them, and tables of what each must see.

A table is rows of who asks what, which field of the answer is meant, and its value. It is true when every row is, all
in one pass; the instances get `SETTLES_WITHIN_S` for that, and what failed says which rows were not.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from adapters.config import load_settings
from adapters.first_start import attached
from adapters.postgres.oauth import App, hash_of
from adapters.wiring import Server, utc_now
from tests.system.instance import Instance, free_port

SETTLES_WITHIN_S = 5.0
ASK_EVERY_S = 0.05
ASK_TIMEOUT_S = 30.0
PEOPLE = 16
SCOPES = ["read", "write", "follow", "push"]
# Where a row means the answer's status rather than its body.
HTTP = "HTTP"
MISSING = "(missing)"
COMPLAINTS = ('"level":"warning"', '"level":"error"', '"level":"critical"', "Traceback")


class Site:
    """An instance called `name`, and its people; "localhost" is called so with its port, and knows no other names."""

    def __init__(self, name: str, port: int, data: Path, names: str) -> None:
        self.name = f"localhost:{port}" if name == "localhost" else name
        self.port, self.data = port, data
        self.origin = f"http://{self.name}"
        self.settings = {} if name == "localhost" else {"DAYBOOK_DOMAIN": name, "DAYBOOK_NAME_MAP": names}
        self.instance = self.started()
        self.people: list[Person] = []
        self._unmet: Iterator[Person] = iter(())

    def started(self) -> Instance:
        """One more life of the instance; not ready yet."""
        return Instance(self.data, self.port, **self.settings)

    def complaints(self) -> list[str]:
        """What it said that no operator should have to read: errors, warnings and tracebacks."""
        return [line for line in self.instance.said if any(word in line for word in COMPLAINTS)]

    def person(self) -> "Person":
        """Somebody with a client who has done nothing so far."""
        return next(self._unmet)

    async def settle_people(self, count: int) -> None:
        """Make accounts as `daybook account create` does, and a token for each beside the log-in page."""
        await asyncio.to_thread(self.instance.ready)
        environ = {"DAYBOOK_DATA": str(self.data), "DAYBOOK_PORT": str(self.port), **self.settings}
        server = Server(attached(load_settings(environ)))
        async with server.running():
            app = await server.oauth.add_app(App(0, "T", None, ["urn:x"], SCOPES, "client", b"", utc_now()))
            for number in range(1, count + 1):
                name = f"{self.name[0]}{number}"
                account = await server.accounts.create(name, None, "correct horse battery staple")
                token = f"{name}'s token"
                await server.oauth.add_token(hash_of(token), app=app.id, account=account, scopes=SCOPES, now=utc_now())
                self.people.append(Person(self, name, str(account), token))
        self._unmet = iter(self.people)


class Person:
    """Somebody who lives on `site`, as account `id` there; `client` is their app."""

    def __init__(self, site: Site, name: str, account: str, token: str) -> None:
        self.site, self.name, self.id = site, name, account
        self.handle = f"{name}@{site.name}"
        self.uri = f"{site.origin}/ap/users/{account}"
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{site.port}",
            headers={"Host": site.name, "Authorization": f"Bearer {token}"},
            timeout=ASK_TIMEOUT_S,
        )

    def __repr__(self) -> str:
        return self.handle

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of an answer that must be 200."""
        return _body(self.client.get(path, params=params))

    def post(self, path: str, **fields: Any) -> Any:
        """The JSON of what was done, which must be 200."""
        return _body(self.client.post(path, json=fields))

    def put(self, path: str, **fields: Any) -> Any:
        return _body(self.client.put(path, json=fields))

    def patch(self, path: str, **fields: Any) -> Any:
        return _body(self.client.patch(path, json=fields))

    def send(self, method: str, path: str, files: dict[str, bytes], **fields: str) -> Any:
        """The JSON of what was done with these files, which must be 200."""
        return _body(self.client.request(method, path, files=files, data=fields))

    def delete(self, path: str) -> Any:
        return _body(self.client.delete(path))

    def finds(self, other: "Person | str") -> str:
        """The id under which the other (or a handle) is known here, looked up elsewhere when need be."""
        return self.find(f"@{other if isinstance(other, str) else other.handle}", "accounts")

    def finds_post(self, uri: str) -> str:
        """The id under which a post is known here, fetched when need be."""
        return self.find(uri, "statuses")

    def find(self, what: str, kind: str) -> str:
        """The id of what search finds first, which may take a while to be known."""

        def asked() -> list[Any]:
            return self.get("/api/v2/search", q=what, resolve="true", type=kind)[kind]

        return until(asked, f"{self} never found {what}")[0]["id"]

    def says(self, text: str, **more: Any) -> Any:
        """A new post of theirs, which everybody can ask for by now: who reads waits for what they wrote."""
        made = self.post("/api/v1/statuses", status=text, **more)
        return self.get(f"/api/v1/statuses/{made['id']}")

    def follows(self, other: "Person") -> None:
        """Follow somebody open, until both sides know."""
        found = self.finds(other)
        self.post(f"/api/v1/accounts/{found}/follow")
        table(
            Row(self, "/api/v1/accounts/relationships", "0.following", True, id=found),
            Row(other, f"/api/v1/accounts/{other.id}/followers", "*.acct", has(self.acct_on(other.site))),
        )

    def acct_on(self, site: Site) -> str:
        """What others on that site call them."""
        return self.name if site is self.site else self.handle


@dataclass
class Pair:
    """Two sites that know each other."""

    a: Site
    b: Site


Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Holds:
    """A value that is not one only; `said` is how it reads in a table."""

    said: str
    check: Check

    def __repr__(self) -> str:
        return self.said


def has(value: Any) -> Holds:
    """A list with this in it, or a text."""
    return Holds(f"has {value!r}", lambda found: isinstance(found, list | str) and value in found)


def lacks(value: Any) -> Holds:
    """A list without this."""
    return Holds(f"lacks {value!r}", lambda found: isinstance(found, list) and value not in found)


class Row:
    """Asked for `path`, `who` gets `value` in `field`: "0.account.acct", "*.uri", or HTTP for the answer's status."""

    def __init__(self, who: Person, path: str, field: str, value: Any, **params: Any) -> None:
        self.who, self.path, self.field, self.value, self.params = who, path, field, value, params

    def found(self) -> Any:
        """The field's value now."""
        answer = self.who.client.get(self.path, params=self.params)
        if self.field == HTTP:
            return answer.status_code
        return value_in(answer.json(), self.field.split(".")) if answer.status_code == httpx.codes.OK else MISSING

    def said(self, found: Any) -> str:
        asked = f"{self.path} {self.params or ''}".rstrip()
        return f"{self.who}  {asked}  {self.field}  must be {self.value!r}, is {found!r}"

    def holds(self, found: Any) -> bool:
        return self.value.check(found) if isinstance(self.value, Holds) else found == self.value


def table(*rows: Row) -> float:
    """Wait until every row is true in one and the same pass; gives how many seconds that took."""
    start, pause = time.monotonic(), threading.Event()
    while True:
        late = time.monotonic() - start > SETTLES_WITHIN_S
        found = [(row, row.found()) for row in rows]
        untrue = [row.said(value) for row, value in found if not row.holds(value)]
        if not untrue:
            return time.monotonic() - start
        assert not late, f"not true within {SETTLES_WITHIN_S:.0f} s:\n  " + "\n  ".join(untrue)
        pause.wait(ASK_EVERY_S)


def until(asked: Callable[[], Sequence[Any]], otherwise: str) -> Sequence[Any]:
    """Ask until there is something."""
    deadline, pause = time.monotonic() + SETTLES_WITHIN_S, threading.Event()
    while not (found := asked()):
        assert time.monotonic() < deadline, otherwise
        pause.wait(ASK_EVERY_S)
    return found


def value_in(body: Any, path: list[str]) -> Any:
    """What a path leads to in an answer; `*` stands for each of a list, and MISSING for what is not there."""
    if not path:
        return body
    step, rest = path[0], path[1:]
    if isinstance(body, list):
        if step == "*":
            return [value_in(one, rest) for one in body]
        return value_in(body[int(step)], rest) if int(step) < len(body) else MISSING
    return value_in(body[step], rest) if isinstance(body, dict) and step in body else MISSING


@contextmanager
def running_sites(folder: Path, *names: str, people: int = PEOPLE) -> Iterator[list[Site]]:
    """Instances that know each other by name, with so many people on each, until the block ends."""
    ports = {name: free_port() for name in names}
    mapped = ",".join(f"{name}=127.0.0.1:{port}" for name, port in ports.items())
    sites = [Site(name, port, folder / name, mapped) for name, port in ports.items()]
    try:
        with ThreadPoolExecutor() as at_once:
            list(at_once.map(lambda site: asyncio.run(site.settle_people(people)), sites))
        yield sites
    finally:
        for person in (person for site in sites for person in site.people):
            person.client.close()
        with ThreadPoolExecutor() as at_once:
            list(at_once.map(lambda site: site.instance.end(), sites))


def environ_of(site: Site) -> dict[str, str]:
    """The environment in which `daybook` means this site."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    kept = {name: value for name, value in kept.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return {**kept, **site.settings, "DAYBOOK_DATA": str(site.data), "DAYBOOK_PORT": str(site.port)}


def _body(answer: httpx.Response) -> Any:
    assert answer.status_code == httpx.codes.OK, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json()
