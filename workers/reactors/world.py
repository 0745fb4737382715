"""What a reactor may ask while it works out what follows: the read models as they were when its fact had passed."""

from collections.abc import Sequence
from typing import NamedTuple

from adapters.postgres.actor_keys import ActorKeys
from adapters.postgres.reads import View
from projections import recipients


class Account(NamedTuple):
    """An account by id: its URI, and whether it lives here."""

    uri: str
    local: bool


class Post(NamedTuple):
    """A post: its URI, author, visibility, the author of what it answers, and whether it was made here."""

    uri: str
    account: int
    visibility: str
    answers: int | None
    local: bool


class World(NamedTuple):
    """The live generation, local accounts' public keys, and what our addresses begin with."""

    view: View
    keys: ActorKeys
    origin: str
    domain: str

    async def accounts(self, *ids: int | None) -> dict[int, Account]:
        """Those of these that are known."""
        wanted = [number for number in ids if number is not None]
        rows = await self.view.rows(recipients.uris_of(wanted))
        return {number: Account(uri, local) for number, uri, local in rows}

    async def post(self, number: int) -> Post | None:
        """A post, deleted or not."""
        row = await self.view.row(recipients.post_of(number))
        return None if row is None else Post(*row)

    async def inboxes_of(self, *accounts: int | None) -> list[str]:
        """The inboxes of those of these accounts that live elsewhere."""
        wanted = [number for number in accounts if number is not None]
        return [row[0] for row in await self.view.rows(recipients.inboxes_of(wanted))]

    async def inboxes_of_followers(self, account: int, position: int) -> list[str]:
        """Of those who followed by then."""
        return [row[0] for row in await self.view.rows(recipients.inboxes_of_followers(account, position))]

    async def inboxes_of_audience(self, post: int) -> list[str]:
        """Of those whom a post is addressed to."""
        return [row[0] for row in await self.view.rows(recipients.inboxes_of_audience(post))]

    async def inboxes_of_mentioned_since(self, post: int, position: int, n: int) -> list[str]:
        """Of those whom the fact at this place is the first to mention in a post."""
        rows = await self.view.rows(recipients.inboxes_of_mentioned_since(post, position, n))
        return [row[0] for row in rows]

    async def inboxes_of_concerned(self, post: int, position: int) -> list[str]:
        """Of those who boosted, liked or answered a post by then: it may have reached them by no other way."""
        return [row[0] for row in await self.view.rows(recipients.inboxes_of_concerned(post, position))]

    async def local_followers_of(self, account: int, target: int) -> Sequence[tuple[int, bool]]:
        """The local accounts that follow this one now, and whether a block bars them from the target."""
        rows = await self.view.rows(recipients.local_followers_of(account, target))
        return [(follower, barred) for follower, barred in rows]
