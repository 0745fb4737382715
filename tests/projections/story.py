"""A short history told on purpose: who follows whom from when to when, and what came into whose home because of it."""

from datetime import datetime
from typing import Any

from adapters.activitypub.incoming import Translator
from adapters.interpreter.ids import proposals
from adapters.interpreter.interpret import further
from domain.bookmark import PostBookmarked
from domain.boost import PostBoosted
from domain.favourite import PostFavourited
from domain.follow import FollowAccepted, FollowEnded, FollowRequested
from domain.ports import Recorded
from domain.post import Mention, PostEdited, PostPublished
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, ANN, BEN, BOB, LOCAL, OURS, PUBLIC, START

FIRST, SECOND, THIRD = (f"{ANN}/n/{number}" for number in (1, 2, 3))
HELLO = 10 << 16
HELLO_URI = f"{ALICE}/statuses/{HELLO}"


class Story:
    """Alice follows Ann while she writes her first post, Bob her second and third; everybody likes the first.

    `log` is all of it, `ids` by URI; `at` gives the position of what was told under a name.
    """

    def __init__(self) -> None:
        self.log: list[Recorded] = []
        self.ids: dict[str, int] = dict(LOCAL)
        self.at: dict[str, int] = {}
        self._translator = Translator(OURS)
        for uri in (ALICE, BOB):
            self.tell(peers.registered(uri))
        for uri in (ANN, BEN):
            self.tell(peers.fetched(uri, peers.actor(uri)))
        self._follows(ALICE)
        self.tell(peers.received(ANN, peers.create(FIRST, ANN)), "first")
        self._follows(BOB)
        self._unfollows(ALICE)
        self.tell(peers.received(ANN, peers.create(SECOND, ANN)), "second")
        self.tell(peers.received(ANN, peers.create(THIRD, ANN, inReplyTo=FIRST)), "third")
        self._meet()
        self._react()

    def tell(self, entry: tuple[str, Any], name: str = "") -> int:
        """What happens next; gives its position."""
        (recorded,) = peers.log_of([entry], start=len(self.log) + 1)
        self.log.append(recorded)
        claim = self._translator.translate(recorded)
        for proposal in (*proposals(recorded.event, OURS), *further(claim, recorded.event)):
            self.ids.setdefault(proposal.uri, proposal.id)
        self.at[name] = recorded.position
        return recorded.position

    def _follows(self, who: str) -> None:
        pair, name = (LOCAL[who], self.ids[ANN]), who.rpartition("/")[2]
        request = f"{who}#follows/{pair[1]}/{len(self.log)}"
        asked = FollowRequested(follower=pair[0], followee=pair[1], request=request, requested_at=self._now())
        self.tell(peers.local(f"follow:{pair[0]}:{pair[1]}", asked), f"{name} asks")
        embedded = {"id": request, "type": "Follow", "actor": who, "object": ANN}
        accepted = {**peers.answer("Accept", ANN, embedded), "id": f"{ANN}/accepts/{name}"}
        self.tell(peers.received(ANN, accepted), f"{name} follows")

    def _unfollows(self, who: str) -> None:
        pair = LOCAL[who], self.ids[ANN]
        ended = FollowEnded(follower=pair[0], followee=pair[1], request="", ended_at=self._now())
        self.tell(peers.local(f"follow:{pair[0]}:{pair[1]}", ended), f"{pair[0]} unfollows")

    def _meet(self) -> None:
        """Ben follows Alice, who lets him, and writes to Ann; Ben answers."""
        self.tell(peers.received(BEN, peers.follow(BEN, ALICE, "f1")), "ben asks")
        ben, alice = self.ids[BEN], LOCAL[ALICE]
        accepted = FollowAccepted(follower=ben, followee=alice, request=f"{BEN}/f1", accepted_at=self._now())
        self.tell(peers.local(f"follow:{ben}:{alice}", accepted), "ben follows")
        hello = PostPublished(
            post=HELLO,
            author=alice,
            uri=HELLO_URI,
            url=HELLO_URI,
            visibility="public",
            published_at=START,
            text="hello @ann #cats",
            tags=("cats",),
            mentions=(Mention(uri=ANN, url=ANN, username="ann", acct="ann@good.test"),),
            audience=(ANN,),
        )
        self.tell(peers.local(f"post:{HELLO}", hello), "hello")
        tag = {"type": "Mention", "href": ALICE, "name": "@u65536"}
        self.tell(
            peers.received(BEN, peers.create(f"{BEN}/n/1", BEN, inReplyTo=HELLO_URI, tag=[tag], cc=[ALICE])), "answer"
        )

    def _react(self) -> None:
        first, bob = self.ids[FIRST], LOCAL[BOB]
        for who in (ALICE, BOB):
            liked = PostFavourited(
                account=LOCAL[who], post=first, activity=f"{who}#likes/{first}", favourited_at=self._now()
            )
            self.tell(peers.local(f"favourite:{LOCAL[who]}:{first}", liked), f"{LOCAL[who]} likes")
        self.tell(peers.received(BEN, peers.act("Like", BEN, HELLO_URI, "like1")), "ben likes")
        self.tell(peers.received(BEN, peers.act("Announce", BEN, HELLO_URI, "boost1", to=[PUBLIC])), "ben boosts")
        boost = 11 << 16
        uri = f"{BOB}/statuses/{boost}/activity"
        boosted = PostBoosted(boost=boost, account=bob, post=HELLO, uri=uri, visibility="public", boosted_at=START)
        self.tell(peers.local(f"boost:{bob}:{HELLO}", boosted), "bob boosts")
        self.tell(peers.local(f"bookmark:{bob}:{first}", PostBookmarked(account=bob, post=first)), "bookmark")
        edited = PostEdited(post=HELLO, author=LOCAL[ALICE], edited_at=START, text="hello again #dogs", tags=("dogs",))
        self.tell(peers.local(f"post:{HELLO}", edited), "edit")

    def _now(self) -> datetime:
        return peers.at(len(self.log) + 1)
