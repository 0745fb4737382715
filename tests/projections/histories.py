"""Random histories for the read models: every visibility, mentions, replies to what is there, not yet, or gone."""

from typing import Any

from domain.account import AccountDeleted, AccountMoved
from domain.block import AccountBlocked, AccountUnblocked
from domain.bookmark import PostBookmarked, PostUnbookmarked
from domain.boost import PostBoosted, PostUnboosted
from domain.conversation import ConversationMuted, ConversationUnmuted
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAdjusted
from domain.home import HomeDropped, HomeRestored
from domain.mute import AccountMuted, AccountUnmuted
from domain.notification import NotificationDismissed, NotificationsCleared
from domain.pin import PostPinned, PostUnpinned
from domain.post import Attachment, Mention, PostDeleted, PostEdited, PostPublished
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.histories import History
from tests.adapters.interpreter.peers import ALICE, BOB, LOCAL, OURS, PUBLIC, START

CAT = Attachment(url="https://our.test/media/cat.jpg", kind="image", media=1)


class TimelineHistory(History):
    """As the interpreter's, but posts are addressed, mention and answer each other, and locals follow locals."""

    def __init__(self, seed: int, length: int) -> None:
        self.boosts: list[PostBoosted] = []
        super().__init__(seed, length)

    def document(self) -> tuple[str, Any]:
        """As ever, but some want to be found."""
        if self.random.random() < 0.5:
            return super().document()
        who = self.one(*self.documented)
        return peers.fetched(who, peers.actor(who, name=str(len(self.log)), indexable=self.one(True, False)))

    def create(self) -> tuple[str, Any]:
        who = self.somebody()
        mentioned = self.one(ALICE, BOB, self.somebody())
        more: dict[str, Any] = self.one(
            {"to": [PUBLIC], "cc": [f"{who}/followers"]},
            {"to": [f"{who}/followers"], "cc": [PUBLIC]},
            {"to": [f"{who}/followers"]},
            {"to": [mentioned]},
        )
        if self.random.random() < 0.4:
            more["tag"] = [{"type": "Mention", "href": mentioned, "name": "@x"}]
        if self.random.random() < 0.5:
            boost = self.one(*self.boosts).uri if self.boosts else self.own_uri()
            more["inReplyTo"] = self.one(self.post_of(self.somebody()), self.own_uri(), self.own_uri(), boost)
        return peers.received(who, peers.create(self.post_of(who), who, **more))

    def update(self) -> tuple[str, Any]:
        """As ever, but an edit may mention others than what it edits."""
        stream, make = super().update()
        if self.random.random() < 0.5:
            return stream, make
        who = self.somebody()
        tags = [{"type": "Mention", "href": one, "name": "@x"} for one in self.random.sample([ALICE, BOB, who], 2)]
        when = f"2026-04-30T{self.random.randrange(24):02}:00:00Z"
        return peers.received(who, peers.update(self.post_of(who), who, when, tag=tags))

    def own_uri(self) -> str:
        return self.one(*self.own_posts).uri if self.own_posts else f"{ALICE}/statuses/0"

    def own_post(self) -> tuple[str, Any]:
        if self.own_posts and self.random.random() < 0.5:
            post: PostPublished = self.one(*self.own_posts)
            edited = PostEdited(
                post=post.post,
                author=post.author,
                edited_at=START,
                text=f"edit {len(self.log)} #cats",
                tags=self.one((), ("Cats",), ("cats", "dogs")),
                attachments=self.one((), (CAT,)),
                mentions=tuple(map(Mention, self.random.sample([ALICE, BOB, *self.actors], self.random.randrange(3)))),
            )
            return peers.local(f"post:{post.post}", self.one(edited, PostDeleted(post=post.post, author=post.author)))
        author = self.one(ALICE, BOB) if len(self.log) > 1 and BOB in self.id_of else ALICE
        number = (len(self.log) + 10) << 16
        uri = f"{author}/statuses/{number}"
        post = PostPublished(
            post=number,
            author=LOCAL[author],
            uri=uri,
            url=uri,
            visibility=self.one("public", "unlisted", "private", "direct"),
            published_at=START,
            text="hello #cats",
            tags=self.one((), ("cats",), ("Dogs", "CATS")),
            in_reply_to_uri=self.one(None, None, self.own_uri(), self.post_of(self.somebody())),
            attachments=self.one((), (CAT,)),
        )
        self.own_posts.append(post)
        return peers.local(f"post:{number}", post)

    def kept(self) -> tuple[str, Any]:
        """Few pairs and many turns, on twice as often as off, so that batches hold on, on, off and on."""
        who = LOCAL[self.one(ALICE, BOB)]
        post = self.one(*self.own_posts[-3:]).post if self.own_posts else 10 << 16
        event = self.one(
            *(PostBookmarked(account=who, post=post), PostBookmarked(account=who, post=post)),
            *(PostPinned(account=who, post=post), PostPinned(account=who, post=post)),
            *(ConversationMuted(account=who, conversation=post), ConversationMuted(account=who, conversation=post)),
            PostUnbookmarked(account=who, post=post),
            PostUnpinned(account=who, post=post),
            ConversationUnmuted(account=who, conversation=post),
        )
        return peers.local(f"toggle:{who}:{post}", event)

    def related(self) -> tuple[str, Any]:
        """Who blocks and mutes whom, wants what of whom, moves and leaves."""
        who, other = self.one(LOCAL[ALICE], LOCAL[BOB]), self.id_of.get(self.somebody(), LOCAL[ALICE])
        if self.random.random() < 0.1:
            leaving = self.one(LOCAL[BOB], *(self.id_of[uri] for uri in self.actors[:3] if uri in self.id_of))
            event = self.one(AccountMoved(account=leaving, target=other), AccountDeleted(account=leaving))
            return peers.local(f"account:{leaving}", event)
        expires_at = self.one(None, START)
        event = self.one(
            *(AccountBlocked(blocker=who, blocked=other, activity=f"{ALICE}/blocks/{n}") for n in range(2)),
            AccountUnblocked(blocker=who, blocked=other, activity="b"),
            *(AccountMuted(muter=who, muted=other, notifications=on, expires_at=expires_at) for on in (True, False)),
            AccountUnmuted(muter=who, muted=other),
            NotificationsCleared(account=who, up_to=self.random.randrange(1, len(self.log) + 1) << 20),
            NotificationDismissed(account=who, notification=self.random.randrange(1, len(self.log) + 1) << 20),
            FollowAdjusted(follower=who, followee=other, reblogs=False, languages=self.one(None, ("en", "de"))),
        )
        return peers.local(f"relation:{who}:{other}", event)

    def away(self) -> tuple[str, Any]:
        """Whose home is kept and whose is not, also said twice."""
        who = LOCAL[self.one(ALICE, BOB)]
        return peers.local(f"home:{who}", self.one(HomeDropped(account=who, days=30), HomeRestored(account=who)))

    def liked(self) -> tuple[str, Any]:
        """Likes and boosts of posts of all visibilities, of posts deleted meanwhile, and of what is not there."""
        who = LOCAL[self.one(ALICE, BOB)]
        known = [number for uri, number in self.id_of.items() if "/n/" in uri]
        posts = [*(post.post for post in self.own_posts[-4:]), *known[-2:], 1 << 40]
        post, number = self.one(*posts), (len(self.log) + 10) << 16
        stood = [boost for boost in self.boosts if boost.account == who]
        if stood and self.random.random() < 0.3:
            boost = self.one(*stood[-3:])
            undone = PostUnboosted(boost=boost.boost, account=who, post=boost.post, uri=boost.uri)
            return peers.local(f"boost:{who}:{boost.post}", undone)
        if self.random.random() < 0.4:
            uri = f"{OURS}/ap/users/{who}/statuses/{number}/activity"
            visibility = self.one("public", "unlisted", "private")
            boost = PostBoosted(boost=number, account=who, post=post, uri=uri, visibility=visibility, boosted_at=START)
            self.boosts.append(boost)
            return peers.local(f"boost:{who}:{post}", boost)
        event = self.one(
            *(PostFavourited(account=who, post=post, activity=f"{OURS}/likes/{number}") for _ in range(2)),
            PostUnfavourited(account=who, post=post, activity=f"{OURS}/likes/{number}"),
        )
        return peers.local(f"favourite:{who}:{post}", event)

    def makers(self) -> list[Any]:
        """More of one's own, so that edits and deletions meet within one batch."""
        makers = [(make, weight * 4 if make == self.own_post else weight) for make, weight in super().makers()]
        return [*makers, (self.kept, 8), (self.related, 12), (self.liked, 16), (self.away, 6)]
