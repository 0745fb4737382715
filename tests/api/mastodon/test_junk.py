"""Whatever is sent, the answer is JSON with an error in it, or a result; never a 500."""

import json
import random
from typing import Any

import pytest

from tests.api.mastodon.world import Person, World
from tests.seeds import new_seed

pytestmark = pytest.mark.anyio

ROUNDS = 400
IDS = ("1", "0", "-1", str(2**63 - 1), str(2**63), str(2**64), "x", "%00", "1%00", "٣", "7" * 5_000, "..", " ", "1.5")
ROUTES = (
    ("GET", "/api/v1/accounts/{}"),
    ("GET", "/api/v1/accounts/{}/statuses"),
    ("POST", "/api/v1/accounts/{}/follow"),
    ("POST", "/api/v1/accounts/{}/unfollow"),
    ("GET", "/api/v1/statuses/{}"),
    ("PUT", "/api/v1/statuses/{}"),
    ("DELETE", "/api/v1/statuses/{}"),
    ("GET", "/api/v1/accounts/relationships"),
    ("GET", "/api/v1/accounts/lookup"),
    ("GET", "/api/v1/accounts/verify_credentials"),
    ("PATCH", "/api/v1/accounts/update_credentials"),
    ("DELETE", "/api/v1/profile/avatar"),
    ("POST", "/api/v1/media"),
    ("POST", "/api/v2/media"),
    ("GET", "/api/v1/media/{}"),
    ("PUT", "/api/v1/media/{}"),
    ("DELETE", "/api/v1/media/{}"),
    ("GET", "/api/v1/timelines/home"),
    ("GET", "/api/v1/timelines/public"),
    ("GET", "/api/v1/statuses"),
    ("POST", "/api/v1/statuses"),
    ("GET", "/api/v2/search"),
    ("GET", "/api/v1/notifications"),
    ("GET", "/api/v1/notifications/{}"),
    ("POST", "/api/v1/notifications/{}/dismiss"),
    *(
        ("POST", f"/api/v1/accounts/{{}}/{verb}")
        for verb in ("block", "unblock", "mute", "unmute", "remove_from_followers")
    ),
    *(("GET", f"/api/v1/accounts/{{}}/{what}") for what in ("followers", "following", "featured_tags", "lists")),
    *(("GET", f"/api/v1/{what}") for what in ("blocks", "mutes", "follow_requests", "markers")),
    ("POST", "/api/v1/follow_requests/{}/authorize"),
    ("POST", "/api/v1/follow_requests/{}/reject"),
    ("POST", "/api/v1/markers"),
    ("GET", "/api/v1/accounts/familiar_followers"),
    *(
        ("POST", f"/api/v1/statuses/{{}}/{undone}{deed}")
        for deed in ("favourite", "reblog", "bookmark", "pin", "mute")
        for undone in ("", "un")
    ),
    *(
        ("GET", f"/api/v1/statuses/{{}}/{what}")
        for what in ("context", "source", "history", "favourited_by", "reblogged_by")
    ),
    *(("GET", f"/api/v1/{what}") for what in ("favourites", "bookmarks", "timelines/tag/{}", "tags/{}")),
)
NAMES = (
    *("id", "id[]", "id[x]", "max_id", "min_id", "since_id", "limit", "acct", "q", "type", "offset", "local"),
    *("status", "spoiler_text", "visibility", "language", "in_reply_to_id", "media_ids[]", "poll[options][]"),
    *("any[]", "all[]", "none[]", "any", "remote", "pinned", "tagged", "exclude_reblogs"),
    *("duration", "notifications", "reblogs", "languages[]", "home[last_read_id]", "timeline[]", "home", "types[]"),
    *("media_ids", "media_attributes[][id]", "media_attributes[][focus]", "focus", "description", "file", "avatar"),
    *("display_name", "note", "locked", "fields_attributes[0][name]", "fields_attributes[]", "source[privacy]"),
    *(
        "source[language]",
        "source",
        "only_media",
        "delete_media",
        "sensitive",
        "exclude_replies",
        "scheduled_at",
        "nothing[of][the][kind]",
    ),
)
VALUES = (
    *IDS,
    *("", "\x00", "a\x00b", "\u202e", "😀" * 50, "@alice @bob@far.test #tag https://example.org", "true", "public"),
    *("limited", "<script>", "' OR 1=1 --", "%s", "%(id)s", "{}", "[]", "null", "\x1b[0m", "@" * 300, "en", "de-DE"),
)
NESTED: tuple[Any, ...] = (None, True, 3, -1, 2**70, 1.5, [], {}, [[]], {"a": {"b": [1]}}, "\ud800", ["x", None])


def request(dice: random.Random) -> tuple[str, str, dict[str, Any]]:
    """One request of junk, in any encoding."""
    method, path = dice.choice(ROUTES)
    path = path.format(dice.choice(IDS))
    fields = {dice.choice(NAMES): dice.choice(VALUES) for _ in range(dice.randrange(5))}
    match dice.randrange(5):
        case 0:
            return method, path, {"params": fields}
        case 1:
            return method, path, {"data": fields}
        case 2:
            bare = {name.partition("[")[0]: dice.choice([*VALUES, *NESTED]) for name in fields}
            body = repr(bare).encode(errors="replace") if dice.random() < 0.1 else _json(bare)
            return method, path, {"content": body, "headers": {"Content-Type": "application/json"}}
        case 3:
            named = {name: (dice.choice([None, "x.png"]), value) for name, value in fields.items()}
            return method, path, {"files": named}
        case _:
            kind = dice.choice(["application/json", "multipart/form-data", "application/x-www-form-urlencoded", ""])
            return method, path, {"content": dice.randbytes(40), "headers": {"Content-Type": kind}}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("seed", [7, new_seed("junk")], ids=lambda seed: f"seed {seed}")
async def test_junk_never_gives_an_internal_error(world: World, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - junk need not be unguessable, but repeatable
    alice = await world.person("alice")
    people: list[Person] = [alice, world.anybody()]
    status = (await alice.post("something to find"))["id"]
    for _ in range(ROUNDS):
        method, path, how = request(dice)
        if dice.random() < 0.2:
            path = path.replace("/1", f"/{status}")
        answer = await dice.choice(people).raw(method, path, **how)
        assert answer.status_code < 500, (seed, method, path, how, answer.text)
        assert answer.headers["content-type"] == "application/json; charset=utf-8", (seed, method, path, how)
        found = answer.json()
        if answer.status_code >= 400:
            assert isinstance(found["error"], str) and found["error"], (seed, method, path, how)
    await world.settled()
