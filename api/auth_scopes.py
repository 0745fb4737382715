"""OAuth scopes as Mastodon names them (documentation, api/oauth-scopes), and which includes which."""

from collections.abc import Iterable

_READ = "accounts blocks bookmarks favourites filters follows lists mutes notifications search statuses"
_WRITE = (
    "accounts blocks bookmarks conversations favourites filters follows lists media mutes notifications reports "
    "statuses"
)
_ADMIN = "accounts reports domain_allows domain_blocks ip_blocks email_domain_blocks canonical_email_blocks"

SCOPES = (
    "profile",
    "read",
    *(f"read:{what}" for what in _READ.split()),
    "write",
    *(f"write:{what}" for what in _WRITE.split()),
    "follow",
    "push",
    "admin:read",
    *(f"admin:read:{what}" for what in _ADMIN.split()),
    "admin:write",
    *(f"admin:write:{what}" for what in _ADMIN.split()),
)
KNOWN = frozenset(SCOPES)
DEFAULT = "read"

# `follow` is older than the fine scopes and stands for six of them.
FOLLOW = frozenset(f"{verb}:{what}" for verb in ("read", "write") for what in ("blocks", "follows", "mutes"))

IN_WORDS = {
    "profile": "read your name and picture",
    "read": "read everything your account can see",
    "write": "post and change things as you",
    "follow": "follow, mute and block people for you",
    "push": "send you push notifications",
    "admin:read": "read all moderation data, if you are a moderator",
    "admin:write": "moderate in your name, if you are a moderator",
}


def has_scope(granted: Iterable[str], needed: str) -> bool:
    """Whether one of `granted` is `needed` or includes it; a narrow scope never includes a wide one."""
    parent = needed.rpartition(":")[0]
    return any(
        scope == needed or (parent and scope == parent) or (scope == "follow" and needed in FOLLOW) for scope in granted
    )


def listed(text: str | None) -> list[str]:
    """Scopes of a space-separated list, each once, in order; the default when there are none."""
    return list(dict.fromkeys((text or "").split())) or [DEFAULT]


def in_words(scopes: Iterable[str]) -> list[str]:
    """What a person is asked to allow, a line a scope."""
    return [IN_WORDS.get(scope) or _fine_in_words(scope) for scope in scopes]


def _fine_in_words(scope: str) -> str:
    area, _, what = scope.rpartition(":")
    verb = "read" if area.endswith("read") else "change"
    whose = " of the whole server" if area.startswith("admin") else ""
    return f"{verb} {what.replace('_', ' ')}{whose} ({scope})"
