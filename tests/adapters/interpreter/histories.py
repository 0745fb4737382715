"""Random histories: few names and many repeats, wrong owners, out of order, so that everything meets everything."""

import random
from collections.abc import Callable
from typing import Any

from adapters.activitypub.incoming import Translator
from adapters.interpreter.ids import proposals
from adapters.interpreter.interpret import further
from domain.account import AccountDeleted, Profile, ProfileChanged
from domain.boost import PostBoosted, PostUnboosted
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.ports import Recorded
from domain.post import Mention, PostDeleted, PostEdited, PostPublished
from domain.waiting import WaitingExpired
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, BOB, CAROL, LOCAL, OURS, PUBLIC, START

CAROLS_POST = PostPublished(
    post=9 << 16,
    author=LOCAL[CAROL],
    uri=f"{CAROL}/statuses/9",
    url=f"{CAROL}/statuses/9",
    visibility="public",
    published_at=START,
)
EXPIRED_AFTER, EXPIRED_AT_ONCE = 20, 60
ORIGINS = ("https://a.test", "https://b.test")


class History:
    """A log of `length` events from `seed`. `uri_of` says which URI every id belongs to."""

    def __init__(self, seed: int, length: int, *, actors_each: int = 12, posts_each: int = 8) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.actors = [f"{origin}/u/{number}" for origin in ORIGINS for number in range(actors_each)]
        # Some are never heard of otherwise, so that what they do waits to the end.
        self.documented = self.actors[:-2]
        self.posts_each = posts_each
        self.translator = Translator(OURS)
        self.uri_of: dict[int, str] = {}
        self.id_of: dict[str, int] = {}
        self.own_posts: list[PostPublished] = []
        self.own_boosts: list[PostBoosted] = []
        self.said: list[tuple[dict[str, Any], str]] = []
        self.requests: list[FollowRequested] = []
        self.log: list[Recorded] = []
        # They leave one after the other, so that there is something left of everybody for most of the time.
        self.length = length
        self.leaving = [*self.actors[1:4], *self.actors[-4:]]
        self.append(peers.registered(ALICE))
        self.append(peers.registered(CAROL))
        self.append(peers.local(f"post:{CAROLS_POST.post}", CAROLS_POST))
        carol_until = self.random.randrange(length // 2, length)
        makers = self.makers()
        bob_at = self.random.randrange(length)
        while len(self.log) < length:
            if len(self.log) == bob_at:
                self.append(peers.registered(BOB))
            elif len(self.log) == carol_until:
                gone = AccountDeleted(account=LOCAL[CAROL], deleted_at=START)
                self.append(peers.local(f"account:{LOCAL[CAROL]}", gone))
            else:
                self.append(self.random.choices([make for make, _ in makers], [weight for _, weight in makers])[0]())

    def append(self, entry: tuple[str, Any]) -> None:
        (recorded,) = peers.log_of([entry], start=len(self.log) + 1)
        self.log.append(recorded)
        claim = self.translator.translate(recorded)
        for proposal in (*proposals(recorded.event, OURS), *further(claim, recorded.event)):
            if proposal.uri not in self.id_of:
                self.id_of[proposal.uri] = proposal.id
                self.uri_of[proposal.id] = proposal.uri

    def makers(self) -> list[tuple[Callable[[], tuple[str, Any]], int]]:
        return [
            (self.document, 3),
            (self.create, 20),
            (self.fetched_post, 10),
            (self.update, 12),
            (self.delete, 5),
            (self.follow, 14),
            (self.like, 12),
            (self.announce, 8),
            (self.block, 5),
            (self.feature, 12),
            (self.move, 10),
            (self.leave, 2),
            (self.undo, 24),
            (self.answer, 8),
            (self.own_post, 3),
            (self.own_follow, 10),
            (self.own_toggle, 5),
            (self.nonsense, 3),
            (self.expire, 1),
        ]

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def somebody(self) -> str:
        return self.random.choice(self.actors)

    def post_of(self, actor: str) -> str:
        """Mostly of the actor's own, sometimes another's of the same origin or another, sometimes a request's id."""
        owner = actor if self.random.random() < 0.8 else self.somebody()
        if self.random.random() < 0.05:
            return self.one(self.request_of(actor), self.activity_of(actor, self.one("l", "b", "k")))
        return f"{owner}/n/{self.random.randrange(self.posts_each)}"

    def request_of(self, actor: str) -> str:
        owner = actor if self.random.random() < 0.9 else self.somebody()
        return f"{owner}/f/{self.random.randrange(3)}"

    def activity_of(self, actor: str, letter: str) -> str:
        """The id of a like (l), boost (b) or block (k), mostly the actor's own."""
        owner = actor if self.random.random() < 0.9 else self.somebody()
        return f"{owner}/{letter}/{self.random.randrange(4)}"

    def any_post(self) -> str:
        """Somebody's, or one of ours, there or not."""
        chance = self.random.random()
        if chance < 0.2 and (self.own_posts or self.own_boosts):
            return self.one(*self.own_posts, *self.own_boosts, CAROLS_POST).uri
        return f"{ALICE}/statuses/0" if chance < 0.25 else self.post_of(self.somebody())

    def local_account(self) -> str:
        return self.one(ALICE, ALICE, BOB, CAROL, f"{OURS}/ap/users/999")

    def document(self) -> tuple[str, Any]:
        who = self.random.choice(self.documented)
        uri = who if self.random.random() < 0.95 else self.post_of(who)
        return peers.fetched(uri, self.actor(uri))

    def actor(self, uri: str) -> dict[str, Any]:
        aliases = [self.somebody(), self.somebody()] if self.random.random() < 0.7 else None
        featured = self.one(*(f"{uri}/featured",) * 5, None)
        return peers.actor(uri, name=str(len(self.log)), alsoKnownAs=aliases, featured=featured)

    def create(self) -> tuple[str, Any]:
        who = self.somebody()
        more: dict[str, Any] = {"to": self.one([PUBLIC], [PUBLIC], [f"{who}/followers"], [ALICE])}
        if self.random.random() < 0.3:
            more["inReplyTo"] = self.post_of(self.somebody())
        return peers.received(who, peers.create(self.post_of(who), who, **more))

    def fetched_post(self) -> tuple[str, Any]:
        """By its author, or so it says; now and then newer than what was delivered."""
        who = self.somebody()
        uri = self.post_of(who)
        updated = self.one(None, None, *(f"2026-04-30T{hour:02}:00:00Z" for hour in range(0, 24, 6)))
        more = {"updated": updated, "to": self.one([PUBLIC], [PUBLIC], [f"{who}/followers"])}
        if self.random.random() < 0.2:
            more["inReplyTo"] = self.post_of(self.somebody())
        return peers.fetched(uri, peers.note(uri, who, **more))

    def update(self) -> tuple[str, Any]:
        who = self.somebody()
        if who in self.documented and self.random.random() < 0.05:
            return peers.received(who, peers.act("Update", who, self.actor(who)))
        when = self.one(None, *(f"2026-04-30T{hour:02}:00:00Z" for hour in range(24)))
        return peers.received(who, peers.update(self.post_of(who), who, when))

    def delete(self) -> tuple[str, Any]:
        who = self.somebody()
        return peers.received(who, peers.delete(self.post_of(who), who))

    def follow(self) -> tuple[str, Any]:
        who = self.somebody()
        asked = peers.follow(who, self.local_account())
        if self.random.random() < 0.95:
            asked["id"] = self.request_of(who)
        return peers.received(who, asked)

    def like(self) -> tuple[str, Any]:
        who = self.somebody()
        return self.toggled(peers.act(self.one("Like", "Like", "EmojiReact"), who, self.any_post()), "l")

    def announce(self) -> tuple[str, Any]:
        who = self.somebody()
        return self.toggled(
            peers.act("Announce", who, self.any_post(), to=self.one([PUBLIC], [f"{who}/followers"])), "b"
        )

    def block(self) -> tuple[str, Any]:
        return self.toggled(peers.act("Block", self.somebody(), self.local_account()), "k")

    def toggled(self, body: dict[str, Any], letter: str) -> tuple[str, Any]:
        """Now and then what was said a while ago, once more."""
        if self.said and self.random.random() < 0.3:
            body, letter = self.random.choice(self.said[-12:])
        self.said.append((body, letter))
        return peers.received(body["actor"], self.named(body, self.activity_of(body["actor"], letter)))

    def feature(self) -> tuple[str, Any]:
        who = self.somebody()
        target = f"{self.one(*(who,) * 9, self.somebody())}/featured"
        return peers.received(who, peers.act(self.one("Add", "Remove"), who, self.post_of(who), target=target))

    def move(self) -> tuple[str, Any]:
        who = self.somebody()
        moved = self.one(*(who,) * 9, self.somebody())
        target = self.one(self.somebody(), self.somebody(), self.local_account())
        return peers.received(who, peers.act("Move", who, moved, target=target))

    def leave(self) -> tuple[str, Any]:
        who = self.random.choice(self.leaving[: 1 + len(self.leaving) * len(self.log) // self.length])
        return peers.received(who, peers.act("Delete", who, who, "delete"))

    def named(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """Mostly with an id."""
        return {"id": name, **body} if self.random.random() < 0.95 else body

    def undo(self) -> tuple[str, Any]:
        who = self.somebody()
        inner = self.one(
            {**peers.follow(who, self.local_account()), "id": self.request_of(who)},
            {**peers.act("Like", who, self.any_post()), "id": self.activity_of(who, "l")},
            {**peers.act("Announce", who, self.any_post()), "id": self.activity_of(who, "b")},
            {**peers.act("Block", who, self.local_account()), "id": self.activity_of(who, "k")},
        )
        without_id = {key: value for key, value in inner.items() if key != "id"}
        only_id = {"type": inner["type"], "id": inner["id"]}
        undone = self.one(inner, inner, inner["id"], inner["id"], only_id, without_id, self.post_of(who))
        return peers.received(who, peers.undo(who, undone))

    def answer(self) -> tuple[str, Any]:
        request = self.one(*self.requests) if self.requests else None
        who = self.somebody()
        asker, name = ALICE, f"{OURS}/never"
        if request is not None:
            who = self.uri_of[request.followee] if self.random.random() < 0.9 else who
            asker, name = self.uri_of[request.follower], request.request
        embedded = {"id": self.one(name, f"{who}/own", None), "type": "Follow", "actor": asker, "object": who}
        return peers.received(who, peers.answer(self.one("Accept", "Accept", "Reject"), who, self.one(name, embedded)))

    def own_post(self) -> tuple[str, Any]:
        author = LOCAL[ALICE]
        if self.own_posts and self.random.random() < 0.6:
            post = self.one(*self.own_posts)
            mentions = self.one((), (Mention(self.somebody()),))
            edited = PostEdited(post=post.post, author=author, edited_at=START, text="x", mentions=mentions)
            return peers.local(f"post:{post.post}", self.one(edited, PostDeleted(post=post.post, author=author)))
        if self.random.random() < 0.2:
            return peers.local(
                "account:1", ProfileChanged(account=author, profile=Profile(also_known_as=(self.somebody(),)))
            )
        number = (len(self.log) + 10) << 16
        uri = f"{ALICE}/statuses/{number}"
        post = PostPublished(
            post=number,
            author=author,
            uri=uri,
            url=uri,
            visibility=self.one("public", "private", "direct"),
            published_at=START,
            audience=(self.somebody(),),
        )
        self.own_posts.append(post)
        return peers.local(f"post:{number}", post)

    def own_follow(self) -> tuple[str, Any]:
        """What a command could have decided: on any state, for the log may hold a remote activity between."""
        remote = [uri for uri in self.actors if uri in self.id_of]
        if not remote:
            return self.document()
        if self.random.random() < 0.4:
            request = f"{OURS}/ap/follows/{len(self.log)}"
            event = FollowRequested(follower=LOCAL[ALICE], followee=self.id_of[self.one(*remote)], request=request)
            self.requests.append(event)
            return peers.local("follow:out", event)
        if self.requests and self.random.random() < 0.3:
            ours = self.one(*self.requests)
            ended = FollowEnded(follower=ours.follower, followee=ours.followee, request=ours.request)
            return peers.local("follow:out", ended)
        who = self.one(*remote)
        kind = self.one(FollowAccepted, FollowAccepted, FollowRejected)
        event = kind(follower=self.id_of[who], followee=LOCAL[ALICE], request=self.request_of(who))
        return peers.local("follow:in", event)

    def own_toggle(self) -> tuple[str, Any]:
        """Of posts of ours, so that whatever reads the facts finds them."""
        if not self.own_posts:
            return self.own_post()
        who, post, at = LOCAL[ALICE], self.one(*self.own_posts).post, START
        number = (len(self.log) + 10) << 16
        uri = f"{ALICE}/statuses/{number}/activity"
        boosted = PostBoosted(boost=number, account=who, post=post, uri=uri, visibility="public", boosted_at=at)
        chosen = self.one(
            boosted,
            PostFavourited(account=who, post=post, activity=f"{ALICE}/likes/{number}"),
            PostUnfavourited(account=who, post=post, activity=f"{ALICE}/likes/{number}"),
        )
        if chosen is boosted:
            self.own_boosts.append(boosted)
        elif self.own_boosts and self.random.random() < 0.3:
            ended = self.one(*self.own_boosts)
            chosen = PostUnboosted(boost=ended.boost, account=who, post=ended.post, uri=ended.uri)
        return peers.local(f"toggle:{number}", chosen)

    def expire(self) -> tuple[str, Any]:
        """Give up some of what came long ago, waiting or not, and named in any order."""
        received = range(1, max(2, len(self.log) - EXPIRED_AFTER))
        positions = tuple(self.random.choices(received, k=EXPIRED_AT_ONCE))
        return peers.local(f"waiting:{len(self.log)}", WaitingExpired(positions=positions, expired_at=START))

    def nonsense(self) -> tuple[str, Any]:
        who = self.somebody()
        forwarded = peers.received(self.somebody(), peers.create(self.post_of(who), who))
        odd = peers.received(who, peers.act("Frobnicate", who, self.post_of(who)))
        return self.one(forwarded, odd, peers.again(who), peers.received(who, b"{"))
