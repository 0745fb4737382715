"""Who may see what: the one rule, for every list and every page.

Public and unlisted: everybody. Private: the author, whom it is addressed to, and whoever follows the author now.
Direct: the author and whom it is addressed to. Deleted: nobody. (Mastodon documentation, "Posting a status".)
"""

from typing import LiteralString

# Whether the viewer follows an account today; NULL when not. An EXISTS might be planned as a hash of all whom they
# follow, read anew for every page; a scalar question is one look-up.
_FOLLOWS: LiteralString = """
    (SELECT true FROM follows f WHERE f.follower = %(viewer)s::bigint AND f.followee = :account
        AND f.stage = 'following' AND f.until IS NULL LIMIT 1)"""


def viewer_follows(account: LiteralString) -> LiteralString:
    """Whether the viewer follows the account in this column today: true or NULL."""
    return _FOLLOWS.replace(":account", account)


# Whether the viewer may see status `s`; a viewer who is NULL is anybody.
VISIBLE: LiteralString = """
    s.deleted IS NULL AND (
        s.visibility IN ('public', 'unlisted')
        OR s.account = %(viewer)s::bigint
        OR (SELECT true FROM audience x WHERE x.status = s.id AND x.account = %(viewer)s::bigint)
        OR (s.visibility = 'private' AND :followed)
    )""".replace(":followed", viewer_follows("s.account"))
