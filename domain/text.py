"""Plain text as people write it here: what it mentions, its hashtags and links, how it counts, and its HTML.

One scanner finds every link, mention and hashtag, so that what is counted, what is notified and what is shown
never disagree. The HTML has Mastodon's shapes, because clients read mentions and tags back out of them. Every
pattern is linear in the text's length: repeats are possessive, and no match can begin inside another.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import quote

COUNTED_LINK = "x" * 23
"""What a link counts as, however long it is (Mastodon, "Posting a status": URLs count 23 characters)."""

SHOWN_LINK_CHARACTERS_MAX = 30
REMEMBERED_MAX = 8
REMEMBERED_CHARACTERS_MAX = 5_000
HASHTAG_CHARACTERS_MAX = 255

# Cc but tab and newline, and lone surrogates: neither HTML, nor UTF-8, nor PostgreSQL can carry them all.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n?")

# A name and password before the host would show one host and mean another: no link.
# A top-level label is all ASCII or has none: "https://host.example" ends where Japanese follows it.
_LINK = r"""
    (?<![A-Za-z0-9@$\#])
    (?P<link>https?://
        (?! [^\s/?\#@]*+@ )
        (?: (?:\w[\w-]*+\.)* (?: [a-z0-9][a-z0-9-]*+ | [^\W\x00-\x7f]++ ) | \[[0-9a-f:.]{2,45}\] )
        (?: :[0-9]{1,5}+ )?+
        (?: [/?\#] [^\s<>"\x00-\x1f\u202a-\u202e\u2066-\u2069\u3001\u3002\u300c-\u300f\u3010\u3011\uff08\uff09]*+ )?+
    )"""
_MENTION = r"""
    (?<![=/\w])
    @(?P<user>[a-z0-9_]++(?:[.-]++[a-z0-9_]++)*+)
    (?:@(?P<host>\w++(?:[.-]++\w++)*+))?+"""
# \w has no combining marks; _hashtag_end adds them, so that scripts that need them (Hindi, Thai) have whole tags.
_HASHTAG_WORD = r"[\w\u00b7\u30fb\u200c]++"
_HASHTAG = rf"(?<![=/)\w]) [\#\uff03] (?P<tag>{_HASHTAG_WORD})"

_TOKEN = re.compile(f"{_LINK} | {_MENTION} | {_HASHTAG}", re.VERBOSE | re.IGNORECASE)
_WORD = re.compile(_HASHTAG_WORD)
_SHOWN_PREFIX = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{2,}")
_CLOSES = {")": "(", "]": "[", "}": "{"}
_SENTENCE_ENDS = frozenset(".,:;!?'*_~\u2026\u00bb\u201d\u2019")


class MentionTarget(NamedTuple):
    """Where a mention leads: `url` the account's page, `username`, `acct` ("bob", or "bob@host.example")."""

    url: str
    username: str
    acct: str


class Token(NamedTuple):
    """A link, mention or hashtag at text[start:end]; `value` is the URL, "bob" or "bob@host.example", or the tag."""

    kind: Literal["link", "mention", "hashtag"]
    start: int
    end: int
    value: str


def without_controls(text: str) -> str:
    """`text` with line ends as newlines, and without control characters (but tab) and lone surrogates."""
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))


def tokens(text: str) -> Iterable[Token]:
    """The links, mentions and hashtags in `text`, in order, never overlapping."""
    return _tokens(text) if len(text) <= REMEMBERED_CHARACTERS_MAX else tuple(_found(text))


@lru_cache(REMEMBERED_MAX)
def _tokens(text: str) -> tuple[Token, ...]:
    """Whoever posts has the same text scanned for mentions, hashtags, its length and its HTML, one after the other."""
    return tuple(_found(text))


def _found(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        start = match.start()
        if match["link"] is not None:
            end = _link_end(text, match.start("link"), match.end())
            yield Token("link", start, end, text[start:end])
        elif match["user"] is not None:
            user, host = match["user"].lower(), match["host"]
            yield Token("mention", start, match.end(), f"{user}@{host.lower()}" if host else user)
        else:
            end = _hashtag_end(text, match.end())
            name = text[start + 1 : end]
            # A number alone is no tag ("we're #1"), nor are separators.
            if end - start <= HASHTAG_CHARACTERS_MAX and any(character.isalpha() for character in name):
                yield Token("hashtag", start, end, name)


def mentions_in(text: str) -> list[str]:
    """Who `text` mentions: "bob" or "bob@host.example", lower-cased, each once, in order of appearance."""
    return list(dict.fromkeys(token.value for token in tokens(text) if token.kind == "mention"))


def hashtags_in(text: str) -> list[str]:
    """The hashtags of `text` without "#", as first written there, each (by `hashtag_key`) once, in order."""
    found: dict[str, str] = {}
    for token in tokens(text):
        if token.kind == "hashtag":
            found.setdefault(hashtag_key(token.value), token.value)
    return list(found.values())


def hashtag_key(name: str) -> str:
    """What makes two hashtags one: NFKC and case folding. `name` comes with or without its "#"."""
    folded = unicodedata.normalize("NFKC", name).removeprefix("#").casefold()
    return unicodedata.normalize("NFKC", folded)


def hashtag_url(origin: str, name: str) -> str:
    """The page of a hashtag on this server; `origin` is "https://host", without a slash at its end."""
    return f"{origin}/tags/{quote(hashtag_key(name), safe='')}"


def countable(text: str) -> str:
    """`text` as its length is counted: each link as 23 characters, each @user@host as @user (Mastodon)."""
    pieces: list[str] = []
    done = 0
    for token in tokens(text):
        if token.kind == "link":
            counted = COUNTED_LINK
        elif token.kind == "mention":
            counted = "@" + token.value.partition("@")[0]
        else:
            continue
        pieces += (text[done : token.start], counted)
        done = token.end
    return "".join(pieces) + text[done:]


def to_html(text: str, *, origin: str, mentions: Mapping[str, MentionTarget]) -> str:
    """`text` as a post's HTML, in the exact shapes of Mastodon 4.7 (all that was written is escaped).

    `origin` is this server's ("https://host"). `mentions` holds those accounts of `mentions_in(text)` that
    exist, under the names given there; a name without an account stays text. A mention shows the user's name
    only, or the whole acct where two mentioned accounts share the name. Blank text is "".
    """
    text = without_controls(text).strip()
    if not text:
        return ""
    namesakes = Counter(target.username.lower() for target in set(mentions.values()))
    pieces: list[str] = []
    done = 0
    for token in tokens(text):
        target = mentions.get(token.value) if token.kind == "mention" else None
        if token.kind == "link":
            html = _link_html(token.value)
        elif token.kind == "hashtag":
            html = _hashtag_html(origin, token.value)
        elif target is not None:
            html = _mention_html(target, namesakes[target.username.lower()] > 1)
        else:
            continue
        pieces += (_escaped(text[done : token.start]), html)
        done = token.end
    pieces.append(_escaped(text[done:]))
    paragraphs = _BLANK_LINES.sub("</p><p>", "".join(pieces))
    return "<p>" + paragraphs.replace("\n", "<br />") + "</p>"


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#39;")


def _link_html(url: str) -> str:
    prefix_match = _SHOWN_PREFIX.match(url)
    prefix = prefix_match[0] if prefix_match else ""
    shown_end = len(prefix) + SHOWN_LINK_CHARACTERS_MAX
    shown, rest = url[len(prefix) : shown_end], url[shown_end:]
    return (
        f'<a href="{_escaped(url)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{_escaped(prefix)}</span>'
        f'<span class="{"ellipsis" if rest else ""}">{_escaped(shown)}</span>'
        f'<span class="invisible">{_escaped(rest)}</span></a>'
    )


def _mention_html(target: MentionTarget, whole_acct: bool) -> str:
    shown = target.acct if whole_acct else target.username
    return (
        f'<span class="h-card" translate="no"><a href="{_escaped(target.url)}" class="u-url mention">'
        f"@<span>{_escaped(shown)}</span></a></span>"
    )


def _hashtag_html(origin: str, name: str) -> str:
    url = _escaped(hashtag_url(origin, name))
    return f'<a href="{url}" class="mention hashtag" rel="tag">#<span>{_escaped(name)}</span></a>'


def _link_end(text: str, start: int, end: int) -> int:
    """Where a link ends that runs on to `end`: the sentence's own punctuation and closing brackets are not its."""
    surplus = {
        closing: text.count(closing, start, end) - text.count(opening, start, end)
        for closing, opening in _CLOSES.items()
    }
    while True:
        last = text[end - 1]
        # A host may end in "]" (IPv6), and then its "[" balances it.
        if last in _CLOSES and surplus[last] > 0:
            surplus[last] -= 1
        elif last not in _SENTENCE_ENDS:
            return end
        end -= 1


def _hashtag_end(text: str, end: int) -> int:
    while end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end += 1
        more = _WORD.match(text, end)
        end = more.end() if more else end
    return end
