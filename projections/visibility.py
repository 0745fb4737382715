"""Who may see what: the one rule, for every list, every page and every document (docs/adr/0015-who-may-see-what.md).

It is about status `s` and a viewer: a local account, a remote actor's account, or NULL, who is anybody. All of it is
asked of today's intervals when something is read, so that a follow, a block, a mute, a deletion and their undoing act
on the past at once.

*May see* (MAY_SEE): what stands, of an author who is there and does not block the viewer. Public and unlisted:
everybody. Private: the author, whom it is addressed to, and whoever follows the author now. Direct: the author and
whom it is addressed to. A boost: who may see both it and what it boosts. (Mastodon documentation, "Posting a status".)

*Shown* (SHOWN): what the viewer may see and did not wish away by blocking or muting the author, the booster or the
author of what is boosted. On an author's own page (SHOWN_OF_AUTHOR) that author counts as wished for.

tests/projections/test_visibility.py says the same in Python, slowly, and compares.
"""

from typing import LiteralString

from projections.blocks import blocks
from projections.mutes import mutes

_VIEWER: LiteralString = "%(viewer)s::bigint"

# Whether the viewer follows an account today; NULL when not. An EXISTS might be planned as a hash of all whom they
# follow, read anew for every page; a scalar question is one look-up. So are all questions here.
_FOLLOWS: LiteralString = """
    (SELECT true FROM follows f WHERE f.follower = %(viewer)s::bigint AND f.followee = :account
        AND f.stage = 'following' AND f.until IS NULL LIMIT 1)"""


def viewer_follows(account: LiteralString) -> LiteralString:
    """Whether the viewer follows the account in this column today: true or NULL."""
    return _FOLLOWS.replace(":account", account)


def viewer_averse_to(account: LiteralString) -> LiteralString:
    """Whether the viewer blocks or mutes the account in this column today: true or NULL."""
    return "(:blocks OR :mutes)".replace(":blocks", blocks(_VIEWER, account)).replace(":mutes", mutes(_VIEWER, account))


def may_be_met(account: LiteralString) -> LiteralString:
    """Whether the account in this column is there and does not block the viewer: true, or false or NULL."""
    there: LiteralString = "(SELECT a.deleted IS NULL FROM accounts a WHERE a.id = :account) AND :blocked IS NULL"
    return there.replace(":account", account).replace(":blocked", blocks(account, _VIEWER))


_ITSELF: LiteralString = """
    :s.deleted IS NULL AND :author AND (
        :s.visibility IN ('public', 'unlisted')
        OR :s.account = %(viewer)s::bigint
        OR (SELECT true FROM audience x WHERE x.status = :s.id AND x.account = %(viewer)s::bigint)
        OR (:s.visibility = 'private' AND :followed)
    )"""


def _may_see_itself(status: LiteralString) -> LiteralString:
    rule = _ITSELF.replace(":author", may_be_met(":s.account")).replace(":followed", viewer_follows(":s.account"))
    return rule.replace(":s", status)


def _with_what_it_boosts(itself: LiteralString, boosted: LiteralString) -> LiteralString:
    """`itself` is about status `s`, `boosted` about post `p`, which `s` boosts if it is a boost."""
    rule: LiteralString = """
    :itself AND (s.reblog_of IS NULL OR (SELECT :boosted FROM statuses p WHERE p.id = s.reblog_of))"""
    return rule.replace(":itself", itself).replace(":boosted", boosted)


_MAY_SEE_BOOSTED = _may_see_itself("p")
_SHOWN_BOOSTED = _MAY_SEE_BOOSTED + " AND " + viewer_averse_to("p.account") + " IS NULL"

MAY_SEE: LiteralString = _with_what_it_boosts(_may_see_itself("s"), _MAY_SEE_BOOSTED)
"""Whether the viewer may see status `s`."""

STANDS: LiteralString = """
    s.deleted IS NULL AND (SELECT a.deleted IS NULL FROM accounts a WHERE a.id = s.account)"""
"""Whether status `s` is there at all, whoever may see it: enough to take back what one did with it."""

SHOWN_OF_AUTHOR: LiteralString = _with_what_it_boosts(_may_see_itself("s"), _SHOWN_BOOSTED)
"""Whether status `s` is shown to the viewer in what one author has written."""

SHOWN: LiteralString = SHOWN_OF_AUTHOR + " AND " + viewer_averse_to("s.account") + " IS NULL"
"""Whether status `s` is shown to the viewer in a list."""
