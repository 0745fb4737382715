"""Conversations: who hears no more of which, a thread being named by its topmost post."""

from collections.abc import Iterable, Sequence
from typing import LiteralString

from domain.conversation import ConversationEvent, ConversationMuted, ConversationUnmuted
from projections import toggles
from projections.fact import Fact
from projections.query import Query
from projections.rule import Projection, Row, on

TABLES = toggles.intervals("conversation_mutes", "account", "conversation")


def _turn(event: ConversationEvent, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, fact.n, event.account, event.conversation, isinstance(event, ConversationMuted)


RULES = (
    on(
        (ConversationMuted, ConversationUnmuted),
        "a thread is muted from when to when",
        "position bigint, n int, account bigint, conversation bigint, begins boolean",
        _turn,
        toggles.turns("conversation_mutes", "account", "conversation"),
    ),
)

PROJECTION = Projection(
    "conversations",
    TABLES,
    {"conversation_mutes": toggles.key("account", "conversation")},
    RULES,
    {"conversation_mutes": toggles.BECAUSE},
    own={"conversation_mutes": "account = %(account)s"},
)

# How far up a thread is looked for what is muted; threads are deeper only when somebody makes them so.
_HEIGHT_MAX: LiteralString = "200"
_MUTED: LiteralString = """
    (WITH RECURSIVE above AS (
        SELECT s.id, s.in_reply_to_uri AS parent, 1 AS height
        UNION
        SELECT p.id, p.in_reply_to_uri, height + 1 FROM above JOIN statuses p ON p.uri = above.parent
        WHERE height < :most)
    SELECT true FROM above JOIN conversation_mutes m ON m.account = :account AND m.conversation = above.id
    WHERE m.until IS NULL LIMIT 1)""".replace(":most", _HEIGHT_MAX)
_MUTES_ANY: LiteralString = """
    (SELECT true FROM conversation_mutes c WHERE c.account = :account AND c.until IS NULL LIMIT 1)"""


def mutes_any(account: LiteralString) -> LiteralString:
    """Whether the account in this expression mutes any thread at all: true or NULL."""
    return _MUTES_ANY.replace(":account", account)


def muted_by(account: LiteralString) -> LiteralString:
    """Whether the account in this expression mutes the thread of status `s`: true or NULL."""
    return "CASE WHEN :any THEN :muted END".replace(":any", mutes_any(account)).replace(
        ":muted", _MUTED.replace(":account", account)
    )


def muted_among(statuses: Sequence[int], account: int) -> Query:
    """Rows of one id each: those of these statuses whose thread the account mutes."""
    sql: LiteralString = "SELECT s.id FROM statuses s WHERE s.id = ANY(%(statuses)s::bigint[]) AND :muted"
    muted = _MUTED.replace(":account", "%(account)s::bigint")
    return Query(sql.replace(":muted", muted), {"statuses": list(statuses), "account": account})
