"""An oracle: what the rules say, as obvious and slow as can be, in URIs, over plain dicts, one event after the other.

It shares no code with `settle`, `walk` or `state`; only the claims are the translator's.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.interpreter.claims import Claim

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
TOPICS = {
    "follow": "follow.ended",
    "favourite": "post.unfavourited",
    "boost": "post.unboosted",
    "block": "account.unblocked",
}
Answer = tuple[str, str]  # kind and verdict, or "wait" and a URI


class Oracle:
    """Told claims in the order of receipt; `facts` and `waiting` are what should come of them."""

    def __init__(self, uri_of: dict[int, str], waiting_max: int) -> None:
        self.uri_of = uri_of
        self.waiting_max = waiting_max
        self.known: dict[str, dict[str, Any]] = {}
        self.departed: set[str] = set()
        self.said: dict[str, tuple[str | None, tuple[str, ...]]] = {}
        self.moved: dict[str, tuple[str, datetime]] = {}
        self.tombs: set[tuple[str, str]] = set()
        self.on: dict[tuple[str, str, str], bool] = {}
        self.follows: dict[tuple[str, str], tuple[str, str]] = {}
        self.waiting: dict[int, tuple[Claim, str]] = {}
        self.waited = False
        self.facts: list[tuple[int, int, int, str, str]] = []

    def receive(self, received: Claim) -> None:
        ready, n = [(received, False)], 0
        given_up: set[int] = set()
        while ready:
            ready.sort(key=lambda one: one[0].position)
            claim, waited = ready.pop(0)
            self.waited = received.position > claim.position
            kind, verdict = (claim.kind, "expired") if claim.position in given_up else self.decide(claim)
            if kind == "wait" and [uri for _, uri in self.waiting.values()].count(verdict) >= self.waiting_max:
                kind, verdict = claim.kind, "refused: too many wait"
            if claim.kind == "waiting.expired":
                given_up = self.waiting.keys() & set(claim.event.positions)
                ready += [(self.waiting.pop(position)[0], True) for position in given_up]
            brought, failed = self.promised(claim), None
            if kind == "wait":
                self.waiting[claim.position] = (claim, verdict)
            else:
                self.facts.append((received.position, n, claim.position, kind, verdict))
                n += 1
                failed = brought if waited else None
            for position, (other, uri) in list(self.waiting.items()):
                if uri == failed or (uri == brought and uri in self.known):
                    del self.waiting[position]
                    ready.append((other, True))

    def promised(self, claim: Claim) -> str | None:
        if claim.verdict:
            return None
        promises = {
            "account.registered": claim.object,
            "post.published": claim.object,
            "follow.requested": claim.activity,
            "post.favourited": claim.activity,
            "post.boosted": claim.activity,
            "account.blocked": claim.activity,
        }
        return promises.get(claim.kind)

    def decide(self, claim: Claim) -> Answer:
        if claim.verdict or claim.local:
            return claim.kind, claim.verdict or self.local(claim.kind, claim.event)
        if claim.kind == "account.registered":
            return self.account(claim)
        signer = self.known.get(claim.actor or "")
        if claim.kind in ("account.deleted", "post.deleted"):
            return claim.kind, self.left(claim) if claim.kind == "account.deleted" else self.deleted(claim)
        if signer is None:
            return "wait", claim.actor or ""
        if signer["kind"] != "account" or claim.actor in self.departed:
            return claim.kind, "refused: gone" if signer["kind"] == "account" else "refused: wrong kind"
        rule = {
            "account.moved": self.moves,
            "post.pinned": self.featured,
            "post.unpinned": self.featured,
            "post.published": self.created,
            "post.edited": self.edited,
            "follow.requested": self.requested,
            "follow.accepted": self.answered,
            "follow.rejected": self.answered,
            "post.favourited": self.toggled,
            "post.boosted": self.toggled,
            "account.blocked": self.toggled,
        }.get(claim.kind, self.undone)
        verdict = rule(claim)
        kind, _, verdict = verdict.partition("|") if "|" in verdict else (claim.kind, "", verdict)
        return ("wait", verdict[5:]) if verdict.startswith("wait ") else (kind, verdict)

    def account(self, claim: Claim) -> Answer:
        uri, event = claim.object or "", claim.event
        there = self.known.setdefault(uri, {"kind": "account", "owner": uri, "new": True})
        if there["kind"] != "account":
            return claim.kind, "refused: wrong kind"
        if uri in self.departed:
            return claim.kind, "refused: gone"
        self.said[uri] = event.endpoints.featured, event.profile.also_known_as
        return ("account.registered" if there.pop("new", False) else "account.profile_changed"), "applied"

    def left(self, claim: Claim) -> str:
        uri = claim.actor or ""
        if self.known.get(uri, {"kind": "account"})["kind"] != "account":
            return "refused: wrong kind"
        if uri in self.departed:
            return "duplicate"
        self.departed.add(uri)
        return "applied" if uri in self.known else "tombstoned"

    def moves(self, claim: Claim) -> str:
        mover, target = claim.actor or "", claim.object or ""
        there, ours = self.known.get(target), target.startswith("https://our.test/")
        if there is None:
            return "refused: no such account" if ours else f"wait {target}"
        named = mover in self.said.get(target, (None, ()))[1]
        if there["kind"] == "account" and target not in self.departed and not named and not ours and not self.waited:
            return f"wait {target}"
        last, when = self.moved.get(mover, ("", EARLIEST))
        checks = {
            "wrong kind": there["kind"] == "account",
            "gone": target not in self.departed,
            "not named by where it moves": named,
            "moved a short while ago": last == target or claim.at is None or claim.at - when >= timedelta(days=7),
        }
        for reason, holds in checks.items():
            if not holds:
                return f"refused: {reason}"
        if last == target:
            return "duplicate"
        self.moved[mover] = target, claim.at or EARLIEST
        return "applied"

    def featured(self, claim: Claim) -> str:
        if self.said.get(claim.actor or "", (None, ()))[0] != claim.target:
            return "refused: not the actor's featured collection"
        there = self.known.get(claim.object or "")
        if there is None:
            return f"wait {claim.object}"
        checks = {
            "wrong kind": there["kind"] == "post",
            "gone": not self.gone(there),
            "not the owner": there["owner"] == claim.actor,
            "not for showing": there.get("to") != "direct",
        }
        for reason, holds in checks.items():
            if not holds:
                return f"refused: {reason}"
        ends, added = ("pin", claim.actor or "", claim.object or ""), claim.kind == "post.pinned"
        if self.on.get(ends, False) == added:
            return "duplicate"
        self.on[ends] = added
        return "applied"

    def gone(self, there: dict[str, Any]) -> bool:
        return bool(there.get("gone")) or there["owner"] in self.departed

    def created(self, claim: Claim) -> str:
        there = self.known.get(claim.object or "")
        if there is not None:
            return self.created_again(claim, there)
        buried = (claim.object, claim.actor) in self.tombs
        post = {"kind": "post", "owner": claim.actor, "gone": buried, "updated": claim.updated, "to": claim.visibility}
        self.known[claim.object or ""] = {**post, "delivered": claim.delivered}
        return "refused: deleted before it came" if buried else "applied"

    def created_again(self, claim: Claim, there: dict[str, Any]) -> str:
        if there["kind"] != "post":
            return "refused: wrong kind"
        if there["owner"] != claim.actor:
            return "refused: not the owner"
        if there["gone"]:
            return "duplicate"
        if claim.delivered:
            before, there["delivered"] = there["delivered"], True
            return "duplicate" if before else "applied"
        if claim.updated is None or claim.updated <= (there["updated"] or EARLIEST):
            return "duplicate"
        there["updated"] = claim.updated
        return "post.edited|applied"

    def edited(self, claim: Claim) -> str:
        there = self.known.get(claim.object or "")
        if there is None:
            return f"wait {claim.object}"
        checks = {
            "wrong kind": there["kind"] == "post",
            "not the owner": there["owner"] == claim.actor,
            "gone": not there.get("gone"),
            "no updated": claim.updated is not None,
            "older than what is known": (there.get("updated") or EARLIEST) < (claim.updated or EARLIEST),
        }
        for reason, holds in checks.items():
            if not holds:
                return f"refused: {reason}"
        there["updated"] = claim.updated
        return "applied"

    def deleted(self, claim: Claim) -> str:
        if claim.actor in self.departed:
            return "refused: gone"
        there = self.known.get(claim.object or "")
        if there is None:
            tomb = (claim.object or "", claim.actor or "")
            if tomb in self.tombs:
                return "duplicate"
            self.tombs.add(tomb)
            return "tombstoned"
        if there["kind"] != "post" or there["owner"] != claim.actor:
            return "refused: wrong kind" if there["kind"] != "post" else "refused: not the owner"
        if there["gone"]:
            return "duplicate"
        there["gone"] = True
        return "applied"

    def requested(self, claim: Claim) -> str:
        target, request = self.known.get(claim.object or ""), self.known.get(claim.activity or "")
        if target is None:
            return "refused: no such account"
        if target["kind"] != "account":
            return "refused: wrong kind"
        if claim.object in self.departed:
            return "refused: gone"
        if request is not None and (request["kind"], request["owner"]) != ("follow", claim.actor):
            return "refused: its id names something else"
        self.known[claim.activity or ""] = {"kind": "follow", "owner": claim.actor, "object": claim.object}
        pair = claim.actor or "", claim.object or ""
        stage, current = self.follows.get(pair, ("none", ""))
        if stage == "following" or (stage == "requested" and current == claim.activity):
            return "duplicate"
        self.follows[pair] = "requested", claim.activity or ""
        return "applied"

    def answered(self, claim: Claim) -> str:
        named = self.known.get(claim.object or "")
        if named is not None:
            if named["kind"] != "follow" or named["object"] != claim.actor:
                return "refused: not asked of the actor"
            pair = named["owner"], claim.actor or ""
        elif claim.inner_actor in self.known:
            pair = claim.inner_actor or "", claim.actor or ""
        else:
            return "refused: no such request"
        stage, current = self.follows.get(pair, ("none", ""))
        if stage == "none" or (named is not None and current != claim.object):
            return "refused: no such request"
        if claim.kind == "follow.rejected":
            del self.follows[pair]
        elif stage == "following":
            return "duplicate"
        else:
            self.follows[pair] = "following", current
        return "applied"

    def toggled(self, claim: Claim) -> str:
        kind = {"post.favourited": "favourite", "post.boosted": "boost", "account.blocked": "block"}[claim.kind]
        there, named = self.known.get(claim.object or ""), self.known.get(claim.activity or "")
        if there is None and kind != "block" and not (claim.object or "").startswith("https://our.test/"):
            return f"wait {claim.object}"
        if there is None:
            return "refused: no such account" if kind == "block" else "refused: no such post"
        checks = {
            "wrong kind": there["kind"] == ("account" if kind == "block" else "post"),
            "gone": not self.gone(there),
            "not for the actor to see": kind != "favourite" or self.was_shown(claim, there),
            "not for passing on": kind != "boost"
            or there.get("to") in ("public", "unlisted")
            or (there.get("to") == "private" and there["owner"] == claim.actor),
            "its id names something else": named is None or (named["kind"], named["owner"]) == (kind, claim.actor),
        }
        for reason, holds in checks.items():
            if not holds:
                return f"refused: {reason}"
        if named is None or kind != "boost":
            self.known[claim.activity or ""] = {"kind": kind, "owner": claim.actor, "object": claim.object}
        ends = kind, claim.actor or "", claim.object or ""
        if self.on.get(ends) or (kind == "boost" and named is not None):
            return "duplicate"
        self.on[ends] = True
        return "applied"

    def was_shown(self, claim: Claim, there: dict[str, Any]) -> bool:
        if not (claim.object or "").startswith("https://our.test/") or there.get("to") in ("public", "unlisted", None):
            return True
        stage, _ = self.follows.get((claim.actor or "", there["owner"]), ("none", ""))
        return claim.actor in there["audience"] or (there["to"] == "private" and stage == "following")

    def undone(self, claim: Claim) -> str:
        named = self.known.get(claim.object or "")
        if named is not None:
            return self.undone_by_name(claim, named)
        if claim.object and any(self.promised(other) == claim.object for other, _ in self.waiting.values()):
            return f"wait {claim.object}"
        if claim.inner_object is not None:
            kind = next((name for name, topic in TOPICS.items() if topic == claim.kind), "follow")
            if kind in ("follow", "block") and self.known.get(claim.inner_object, {}).get("kind") != "account":
                return "refused: no such account"
            if self.ended(kind, claim.actor or "", claim.inner_object):
                return "applied"
        return f"wait {claim.object}" if claim.object else "refused: nothing to undo"

    def undone_by_name(self, claim: Claim, named: dict[str, Any]) -> str:
        topic = TOPICS.get(named["kind"])
        if topic is None or claim.kind not in ("undo", topic):
            return "refused: wrong kind"
        if named["owner"] != claim.actor:
            return "refused: not the actor's to undo"
        return f"{topic}|" + ("applied" if self.ended(named["kind"], claim.actor, named["object"]) else "duplicate")

    def ended(self, kind: str, actor: Any, other: str) -> bool:
        if kind == "follow":
            return bool(self.follows.pop((actor, other), None))
        return self.on.pop((kind, actor, other), False)

    def local(self, kind: str, event: Any) -> str:
        if kind == "account.registered":
            self.known[event.uri] = {"kind": "account", "owner": event.uri}
        elif kind == "account.profile_changed":
            self.said[self.uri_of[event.account]] = None, event.profile.also_known_as
        elif kind == "account.deleted":
            self.departed.add(self.uri_of[event.account])
        elif kind == "post.published":
            post = {"kind": "post", "owner": self.uri_of[event.author], "gone": False, "updated": None}
            self.known[event.uri] = {**post, "to": event.visibility, "audience": event.audience}
        elif kind == "post.boosted":
            self.known[event.uri] = {"kind": "boost", "owner": self.uri_of[event.account], "object": event.post}
        elif kind == "post.edited":
            there = self.known[self.uri_of[event.post]]
            there["audience"] = (*there["audience"], *(mention.uri for mention in event.mentions))
        elif kind == "post.deleted":
            self.known[self.uri_of[event.post]]["gone"] = True
        elif kind.startswith("follow."):
            return self.local_follow(kind, event)
        return "applied"

    def local_follow(self, kind: str, event: Any) -> str:
        pair = self.uri_of[event.follower], self.uri_of[event.followee]
        stage, current = self.follows.get(pair, ("none", ""))
        if kind == "follow.requested":
            self.known[event.request] = {"kind": "follow", "owner": pair[0], "object": pair[1]}
            if stage == "following" or (stage, current) == ("requested", event.request):
                return "duplicate"
            self.follows[pair] = "requested", event.request
            return "applied"
        if kind == "follow.ended":
            return "applied" if self.follows.pop(pair, None) else "duplicate"
        if stage == "none" or current != event.request:
            return "refused: overtaken"
        if kind == "follow.rejected":
            del self.follows[pair]
        elif stage == "following":
            return "duplicate"
        else:
            self.follows[pair] = "following", current
        return "applied"
