"""How long a text is for its reader: in graphemes, which the standard library cannot tell apart.

wcwidth follows Unicode's UAX #29 and stays linear; the `regex` package's \\X takes 6 s for 50,000 flags.
"""

import wcwidth

from domain.text import countable


def graphemes(text: str) -> int:
    """The number of extended grapheme clusters in `text` (UAX #29): a family emoji is one."""
    return sum(1 for _ in wcwidth.iter_graphemes(text))


def length(text: str, spoiler_text: str) -> int:
    """The length of a post as Mastodon counts it: its content warning counts too, and each link as 23."""
    return graphemes(spoiler_text) + graphemes(countable(text))
