"""Conversations: who hears no more of which, a thread being named by its topmost post."""

from collections.abc import Iterable

from domain.conversation import ConversationEvent, ConversationMuted, ConversationUnmuted
from projections import toggles
from projections.fact import Fact
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

PROJECTION = Projection("conversations", TABLES, {"conversation_mutes": toggles.key("account", "conversation")}, RULES)
