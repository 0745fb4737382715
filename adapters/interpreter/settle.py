"""Settling: the only place with meaning. One function per kind of claim, checks first and changes last.

Each asks what is known as of this position and answers with an outcome, or with the URI that has to come first. What
waits: the signer's actor, the post of an Update, a Like or an Announce, the activity of an Undo, the account moved to.
A parent never holds up a reply, a Delete never waits, a known URI never parks anything (but a Move, once), and what is
refused brings nothing. Federation §8.7, §8.8, §11; security B4.

Here stand posts; accounts, follows, toggles, Undo and what was decided here have files of their own.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from adapters.interpreter import settle_accounts
from adapters.interpreter.claims import DUPLICATE, TOMBSTONED, UNDO, Claim
from adapters.interpreter.outcome import Outcome, Settled, Wait, known_signer, refused_by, signer_of, verdict_on
from adapters.interpreter.settle_follows import answer, follow
from adapters.interpreter.settle_local import settle_local
from adapters.interpreter.settle_toggles import add_or_remove, block, boost, like
from adapters.interpreter.settle_undo import undo
from adapters.interpreter.state import Known, State
from domain.post import PostDeleted
from projections.fact import APPLIED


def settle(claim: Claim, position: int, state: State) -> Settled:
    """Decide on a claim at `position`, the later of its receipt and of all that it waited for, and change `state`."""
    if claim.verdict is not None:
        return verdict_on(claim, state, claim.verdict)
    if claim.local:
        return settle_local(claim, position, state)
    return _REMOTE[claim.kind](claim, position, state)


def _create(claim: Claim, position: int, state: State) -> Settled:
    author, uri = known_signer(claim, state), claim.object
    if not isinstance(author, int):
        return author
    assert uri is not None, "a Create names its object"
    known = state.known[uri]
    if known is not None:
        return _created_again(claim, state, author, known)
    post = state.ids[uri]
    assert post is not None, "what a claim brings has an id"
    fresh = Known(
        kind="post",
        id=post,
        owner=author,
        object=None,
        since=position,
        delivered=claim.delivered,
        updated=claim.updated,
        visibility=claim.visibility,
    )
    if state.tombs[uri, author]:
        state.know(uri, msgspec.structs.replace(fresh, gone=True))
        return refused_by(claim, state, "deleted before it came", fresh)
    state.know(uri, fresh)
    return _published(claim, state, fresh)


def _created_again(claim: Claim, state: State, author: int, known: Known) -> Outcome:
    """Only what a fetch has brought before its delivery is no repeat."""
    assert claim.object is not None, "a Create names its object"
    if known.kind != "post" or known.owner != author:
        return refused_by(claim, state, "wrong kind" if known.kind != "post" else "not the owner", known)
    if not claim.delivered and not known.gone:
        return _fetched_again(claim, state, claim.object, known)
    if known.delivered or known.gone:
        return verdict_on(claim, state, DUPLICATE, known)
    state.know(claim.object, msgspec.structs.replace(known, delivered=True))
    return msgspec.structs.replace(_published(claim, state, known), again=True)


def _fetched_again(claim: Claim, state: State, uri: str, known: Known) -> Outcome:
    """Its own server's word on what it says now, if that is news."""
    if claim.updated is None or (known.updated is not None and claim.updated <= known.updated):
        return verdict_on(claim, state, DUPLICATE, known)
    state.know(uri, msgspec.structs.replace(known, updated=claim.updated))
    return Outcome(APPLIED, "post.edited", known.owner, known.id, delivered=False)


def _published(claim: Claim, state: State, post: Known) -> Outcome:
    parent = state.known[claim.parent] if claim.parent is not None else None
    in_reply_to = parent.id if parent is not None and parent.kind == "post" else None
    return Outcome(APPLIED, claim.kind, post.owner, post.id, parent=in_reply_to, delivered=claim.delivered)


def _update(claim: Claim, position: int, state: State) -> Settled:
    editor, uri = known_signer(claim, state), claim.object
    if not isinstance(editor, int):
        return editor
    assert uri is not None, "an Update names its object"
    known = state.known[uri]
    if known is None:
        return Wait(uri)
    reason = _why_not_edit(claim, known, editor)
    if reason is not None:
        return refused_by(claim, state, reason, known)
    state.know(uri, msgspec.structs.replace(known, updated=claim.updated))
    return Outcome(APPLIED, claim.kind, editor, known.id)


def _why_not_edit(claim: Claim, known: Known, editor: int) -> str | None:
    if known.kind != "post":
        return "wrong kind"
    if known.owner != editor:
        return "not the owner"
    if known.gone:
        return "gone"
    if claim.updated is None:
        return "no updated"
    if known.updated is not None and claim.updated <= known.updated:
        return "older than what is known"
    return None


def _delete(claim: Claim, position: int, state: State) -> Settled:
    signer, uri = signer_of(claim, state), claim.object
    assert uri is not None and signer is not None, "a Delete names its object and its signer has an id"
    if state.departed[signer]:
        return refused_by(claim, state, "gone")
    known = state.known[uri]
    if known is None:
        buried = state.tombs[uri, signer]
        state.bury(uri, signer)
        return verdict_on(claim, state, DUPLICATE if buried else TOMBSTONED)
    if known.kind != "post" or known.owner != signer:
        return refused_by(claim, state, "wrong kind" if known.kind != "post" else "not the owner", known)
    if known.gone:
        return verdict_on(claim, state, DUPLICATE, known)
    state.know(uri, msgspec.structs.replace(known, gone=True))
    assert known.id is not None, "a post has an id"
    event = PostDeleted(post=known.id, author=signer, deleted_at=claim.at)
    return Outcome(APPLIED, claim.kind, signer, known.id, event=event)


_Rule = Callable[[Claim, int, State], Settled]
_REMOTE: Final[dict[str, _Rule]] = {
    "account.registered": settle_accounts.account,
    "account.moved": settle_accounts.move,
    "account.deleted": settle_accounts.leave,
    "post.published": _create,
    "post.edited": _update,
    "post.deleted": _delete,
    "follow.requested": follow,
    "follow.accepted": answer,
    "follow.rejected": answer,
    "post.favourited": like,
    "post.boosted": boost,
    "account.blocked": block,
    "post.pinned": add_or_remove,
    "post.unpinned": add_or_remove,
    "follow.ended": undo,
    "post.unfavourited": undo,
    "post.unboosted": undo,
    "account.unblocked": undo,
    UNDO: undo,
}
