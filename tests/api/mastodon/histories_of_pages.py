"""Random histories, told to an instance as clients and peers tell them, and the pages that somebody may ask for."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx

from api.app import create_routes
from api.cors import Edge
from tests.adapters.interpreter.peers import act, actor, answer, create, delete, fetched, received, undo, update
from tests.api.mastodon.world import ORIGIN, PUBLIC, Person, World

ANN, BEN = "https://far.test/u/ann", "https://odd.test/u/ben"
AUTHORS = (ANN, BEN)
VISIBILITIES = ("public", "public", "unlisted", "private", "direct")
DOCUMENT = {"Accept": "application/activity+json"}
SHOWN_HEADERS = ("link", "cache-control", "vary", "content-type", "etag")


class Told:
    """An instance with people of here and elsewhere, to whom things happen at random; `seed` says which."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.dice = random.Random(seed)  # noqa: S311 - to be told again, not to be unguessable
        self.people: list[Person] = []
        self.accounts: list[str] = []
        self.statuses: list[tuple[str, Person | None]] = []
        self.uris: list[str] = []
        self.liked: list[tuple[str, str, str]] = []
        self._numbers = iter(range(1, 100_000))
        # The same routes on the same instance, with nothing in front of them.
        self._anew = httpx.AsyncClient(
            transport=httpx.ASGITransport(Edge(create_routes(world.server))),  # pyright: ignore[reportArgumentType]
            base_url=ORIGIN,
        )

    async def begin(self) -> None:
        """Everybody is there, and knows some others."""
        self.people = [await self.world.person(name) for name in ("alice", "bob", "carol")]
        await self.world.hear(*(fetched(author, actor(author)) for author in AUTHORS))
        for author in AUTHORS:
            await self.world.hear(received(author, create(f"{author}/0", author)))
            acct = f"{author.rpartition('/')[2]}@{author.split('/')[2]}"
            self.accounts.append((await self.people[0].get("/api/v1/accounts/lookup", acct=acct))["id"])
        self.accounts += [person.id for person in self.people]

    async def close(self) -> None:
        await self._anew.aclose()

    def paths(self) -> list[str]:
        """Pages worth asking for, whoever asks."""
        statuses = [number for number, _ in self.statuses]
        chosen = [*statuses[-6:], *self.dice.sample(statuses, min(4, len(statuses)))]
        of_statuses = [f"/api/v1/statuses/{one}{more}" for one in dict.fromkeys(chosen) for more in ("", "/context")]
        of_accounts = [f"/api/v1/accounts/{one}{more}" for one in self.accounts for more in ("", "/statuses")]
        of_accounts += [f"{self.accounts[-1]}/statuses?{how}" for how in ("pinned=true", "exclude_replies=true")]
        lists = ["home", "public", "public?local=true", "public?only_media=true", "home?limit=3", "tag/x"]
        documents = [f"/ap/users/{person.id}" for person in self.people]
        documents += [f"/ap/users/{by.id}/statuses/{one}" for one, by in self.statuses[-4:] if by is not None]
        documents += [f"/.well-known/webfinger?resource=acct:{one.name}@localhost:3000" for one in self.people]
        timelines = [f"/api/v1/timelines/{name}" for name in lists]
        return [*of_statuses, *(path for path in of_accounts if path.startswith("/")), *timelines, *documents]

    async def ask(self, person: Person, path: str) -> httpx.Response:
        """A page, kept or not."""
        return await person.raw("GET", path, headers=DOCUMENT)

    async def same(self, person: Person, path: str) -> None:
        """The page is what it is when it is made anew, for this person."""
        kept = await self.ask(person, path)
        headers = {**DOCUMENT, **person.authorization}
        anew = await self._anew.get(path, headers=headers)
        assert kept.status_code == anew.status_code, (path, person.name)
        assert kept.text == anew.text, (path, person.name)
        for name in SHOWN_HEADERS:
            if name != "etag":
                assert kept.headers.get(name) == anew.headers.get(name), (path, person.name, name)

    async def something(self) -> None:
        """One thing happens."""
        await self.dice.choice(self._deeds)()

    @property
    def _deeds(self) -> Sequence[Callable[[], Awaitable[None]]]:
        often = [self._post, self._post, self._answer, self._react, self._react, self._relate, self._hear_post]
        return [*often, self._edit, self._delete, self._rename, self._hear_deed, self._hear_change, self._hear_follow]

    def _person(self) -> Person:
        return self.dice.choice(self.people)

    async def _say(self, person: Person, **more: Any) -> None:
        named = " ".join(f"@{one.name}" for one in self.people if self.dice.random() < 0.2)
        text = f"{next(self._numbers)} {named} {self.dice.choice(('#x', ''))}"
        body = {"status": text, "visibility": self.dice.choice(VISIBILITIES), **more}
        said = await person.raw("POST", "/api/v1/statuses", json=body)
        if said.is_success:
            self.statuses.append((said.json()["id"], person))

    async def _post(self) -> None:
        await self._say(self._person())

    async def _answer(self) -> None:
        if self.statuses:
            await self._say(self._person(), in_reply_to_id=self.dice.choice(self.statuses[-8:])[0])

    async def _react(self) -> None:
        if self.statuses:
            deeds = ("favourite", "reblog", "bookmark", "pin", "mute")
            deed = self.dice.choice(deeds)
            deed = self.dice.choice((deed, deed, f"un{deed}"))
            number, by = self.dice.choice(self.statuses[-10:])
            person = by if deed.endswith("pin") and by is not None else self._person()
            done = await person.raw("POST", f"/api/v1/statuses/{number}/{deed}")
            if deed == "reblog" and done.is_success:
                self.statuses.append((done.json()["id"], person))

    async def _relate(self) -> None:
        deed = self.dice.choice(("follow", "follow", "follow", "unfollow", "block", "unblock", "mute", "unmute"))
        wishes = {"reblogs": self.dice.choice(("true", "false"))} if deed == "follow" else {}
        await self._person().raw("POST", f"/api/v1/accounts/{self.dice.choice(self.accounts)}/{deed}", data=wishes)

    async def _edit(self) -> None:
        own = [(number, by) for number, by in self.statuses[-10:] if by is not None]
        if own:
            number, by = self.dice.choice(own)
            await by.raw("PUT", f"/api/v1/statuses/{number}", json={"status": f"edited {next(self._numbers)} #x"})

    async def _delete(self) -> None:
        own = [(number, by) for number, by in self.statuses if by is not None]
        if own:
            number, by = self.dice.choice(own)
            await by.raw("DELETE", f"/api/v1/statuses/{number}")

    async def _rename(self) -> None:
        await self.world.rename(self._person(), f"Called {next(self._numbers)}")

    async def _hear_post(self) -> None:
        """From elsewhere: it may answer what is not there yet, or be fetched before it is delivered to somebody."""
        author, number = self.dice.choice(AUTHORS), next(self._numbers)
        uri = f"{author}/{number}"
        to = [self.dice.choice((PUBLIC, f"{author}/followers", f"{ORIGIN}/ap/users/{self._person().id}"))]
        above = self.dice.choice((None, f"{author}/{number + 1}", f"{AUTHORS[0]}/{number - 1}", *self.uris[-3:]))
        self.uris.append(uri)
        await self.world.hear(received(author, create(uri, author, to=to, inReplyTo=above)))
        rows = await self.world.server.reads.view().execute("SELECT id FROM statuses WHERE uri = %s", [uri])
        self.statuses += [(str(row[0]), None) for row in rows]

    async def _hear_deed(self) -> None:
        rows = await self.world.server.reads.view().execute(
            "SELECT uri FROM statuses WHERE reblog_of IS NULL ORDER BY id DESC LIMIT 8", []
        )
        author, name = self.dice.choice(AUTHORS), f"deed{next(self._numbers)}"
        kind, uri = self.dice.choice(("Like", "Announce")), self.dice.choice(rows)[0]
        if self.liked and self.dice.random() < 0.4:
            who, kind, name = self.liked.pop()
            done = act(kind, who, uri, name)
            await self.world.hear(received(who, undo(who, done["id"], f"undo{name}")))
            return
        self.liked.append((author, kind, name))
        more = {"to": [PUBLIC], "published": "2026-05-01T12:00:00Z"} if kind == "Announce" else {}
        await self.world.hear(received(author, act(kind, author, uri, name, **more)))

    async def _hear_change(self) -> None:
        if self.uris:
            uri, number = self.dice.choice(self.uris), next(self._numbers)
            author = uri.rpartition("/")[0]
            if self.dice.random() < 0.5:
                await self.world.hear(received(author, delete(uri, author)))
            else:
                when = f"2026-05-02T{number % 24:02}:{number % 60:02}:00Z"
                await self.world.hear(received(author, update(uri, author, when, content=f"<p>{number}</p>")))

    async def _hear_follow(self) -> None:
        """Whoever was asked agrees, or somebody from elsewhere follows or blocks one of ours."""
        asked = await self.world.server.reads.view().execute(
            "SELECT f.request, a.uri FROM follows f JOIN accounts a ON a.id = f.followee "
            "WHERE f.stage = 'requested' AND f.until IS NULL AND a.domain IS NOT NULL",
            [],
        )
        if asked:
            await self.world.hear(*(received(uri, answer("Accept", uri, request)) for request, uri in asked))
            return
        author, kind = self.dice.choice(AUTHORS), self.dice.choice(("Block", "Follow"))
        who, name = f"{ORIGIN}/ap/users/{self._person().id}", f"towards{next(self._numbers)}"
        deed = act(kind, author, who, name)
        await self.world.hear(received(author, deed))
        if kind == "Block":
            await self.world.hear(received(author, undo(author, deed["id"], f"undo{name}")))
