"""The mixed log: Create 60 %, Like 15, Announce 10, Follow 10, rest 5, by authors with ten local followers each.

Followers are spread by a power law, and so is who writes how much, independently of each other; a post therefore comes
into some ten homes on average, into hundreds now and then. A seed gives the same log, but for what sealing adds.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from bench import peers
from bench.book import Book, Line
from bench.mixture import Mixture
from domain.account import AccountRegistered
from domain.follow import FollowRequested
from domain.ids import local_id
from domain.post import PostPublished

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(milliseconds=50)
FOLLOWERS_MEAN = 10
SKEW = 0.8
LOCAL_SHARE = 0.05
# Of all events, what comes into some home: posts that answer nobody, or somebody followed, and boosts.
SHOWN_SHARE = 0.68


class MixedLog:
    """Generates lines for `book`: first `people`, then `follows`, then as many of `mixed` as wanted."""

    def __init__(self, book: Book, *, authors: int = 1_000, locals_: int = 500, seed: int = 1) -> None:
        self._book = book
        self._dice = random.Random(seed)  # noqa: S311 - a log is to be made again, not to be unguessable
        self._when = START
        self.authors = list(range(authors))
        self.locals = [local_id(int(START.timestamp() * 1000) + n, n) for n in range(locals_)]
        powers = [(rank + 1) ** -SKEW for rank in range(authors)]
        self._popular = self._dice.sample(self.authors, authors)
        self._popularity = [power * authors / sum(powers) for power in powers]
        self._busy = self._dice.sample(self.authors, authors)
        self._business = list(accumulate(powers))
        self._mixture = Mixture(self._dice, list(map(self.uri_of, self.locals)), lambda: self._when)

    def people(self) -> Iterator[Line]:
        """Local accounts and remote authors' documents."""
        for number in self.locals:
            yield self._registered(number, self._tick())
        for author in self.authors:
            document = peers.encoded(peers.actor(author, "-----BEGIN PUBLIC KEY-----\n" + "M" * 392))
            yield self._book.fetched(peers.author_uri(author), document, self._tick())

    def follows(self, ids: Mapping[str, int]) -> Iterator[Line]:
        """Local followers for every author, each asked for here and accepted there. `ids` are the authors'."""
        for author, share in zip(self._popular, self._popularity, strict=True):
            wanted = min(len(self.locals), max(1, round(share * FOLLOWERS_MEAN)))
            for follower in self._dice.sample(self.locals, wanted):
                yield from self._followed(follower, author, ids)

    def readers(self, ids: Mapping[str, int], sizes: Sequence[int], events: int) -> Iterator[Line]:
        """Somebody for each of these sizes, in whose home there will be about so many of the mixture's next `events`.

        They come late and follow none of the busiest or idlest; nothing else in the mixture changes by them. `ids` are
        the authors'.
        """
        for place, size in enumerate(sizes):
            reader = self.reader(place)
            yield self._registered(reader, self._when)
            wanted = size / (events * SHOWN_SHARE)
            for rank in range(len(self.authors) // 10 + place, len(self.authors), len(sizes)):
                if wanted <= 0:
                    break
                wanted -= (self._business[rank] - self._business[rank - 1]) / self._business[-1]
                yield from self._followed(reader, self._busy[rank], ids)

    def reader(self, place: int) -> int:
        """The id of one of `readers`."""
        return local_id(int(START.timestamp() * 1000) - 1 - place, place)

    def mixed(self, count: int) -> Iterator[Line]:
        """`count` lines of the mixture."""
        for _ in range(count):
            kind = self._mixture.kind()
            author = self._dice.choices(self._busy, cum_weights=self._business)[0]
            if kind == "Create" and self._dice.random() < LOCAL_SHARE:
                yield self._local_post()
            else:
                yield self._received(author, self._mixture.activity(kind, author))

    def uri_of(self, account: int) -> str:
        """A local actor's URI."""
        return f"{self._book.settings.origin}/ap/users/{account}"

    def _registered(self, number: int, at: datetime) -> Line:
        username = f"local{number % 100_000}_{number & 0x7FFF}"
        stream = f"username:{self._book.pepper.hash('username', username).hex()}"
        uri, url = self.uri_of(number), f"{self._book.settings.origin}/@{username}"
        return Line(stream, AccountRegistered(account=number, username=username, uri=uri, url=url, registered_at=at))

    def _followed(self, follower: int, author: int, ids: Mapping[str, int]) -> Iterator[Line]:
        """Asked for here and accepted there."""
        followee = ids[peers.author_uri(author)]
        request = f"{self.uri_of(follower)}#follows/{followee}"
        asked = FollowRequested(follower=follower, followee=followee, request=request)
        yield Line(f"follow:{follower}:{followee}", asked)
        embedded = {
            "id": request,
            "type": "Follow",
            "actor": self.uri_of(follower),
            "object": peers.author_uri(author),
        }
        yield self._received(author, peers.small("Accept", author, self._mixture.next(), embedded))

    def _local_post(self) -> Line:
        author, at = self._dice.choice(self.locals), self._tick()
        post = local_id(int(at.timestamp() * 1000), self._mixture.next())
        uri = f"{self.uri_of(author)}/statuses/{post}"
        said = PostPublished(
            post=post,
            author=author,
            uri=uri,
            url=uri,
            visibility="public",
            published_at=at,
            text=peers.text(self._dice),
        )
        return Line(f"post:{post}", said)

    def _received(self, author: int, activity: dict[str, Any]) -> Line:
        content = activity["type"] in ("Create", "Update", "Delete", "Announce")
        raw = peers.encoded(activity)
        return self._book.received(activity["actor"], activity["id"], raw, self._tick(), content=content)

    def _tick(self) -> datetime:
        self._when += STEP
        return self._when
