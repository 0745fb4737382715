"""Who may see what: the one rule, for every list and every page.

Public and unlisted: everybody. Private: the author, whom it is addressed to, and whoever follows the author now.
Direct: the author and whom it is addressed to. Deleted: nobody. (Mastodon documentation, "Posting a status".)
"""

from typing import LiteralString

# Whether the viewer follows the author of status `s` today.
FOLLOWED: LiteralString = """
    EXISTS (SELECT FROM follows f WHERE f.follower = %(viewer)s::bigint AND f.followee = s.account
        AND f.stage = 'following' AND f.until IS NULL)"""

# Whether the viewer may see status `s`; a viewer who is NULL is anybody.
VISIBLE: LiteralString = (
    """
    s.deleted IS NULL AND (
        s.visibility IN ('public', 'unlisted')
        OR s.account = %(viewer)s::bigint
        OR EXISTS (SELECT FROM audience x WHERE x.status = s.id AND x.account = %(viewer)s::bigint)
        OR (s.visibility = 'private' AND"""
    + FOLLOWED
    + """))"""
)
