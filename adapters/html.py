"""The one door through which HTML from elsewhere comes in: `sanitise`, and `plain_text` where no HTML belongs.

All remote HTML passes here (content, biographies, field values, translations, cards), and nothing raises: what
can't be read becomes escaped text. What is allowed follows Mastodon's sanitiser. nh3 (ammonia) parses and filters;
before it stands a bound on its work, for it is quadratic in nesting depth and in a tag's attributes; after it, one
pass turns images and dead links into what they say. Output is a fixed point: sanitising it again changes nothing.
"""

import html as entities
import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

import nh3

from domain.text import without_controls

SANITISER_VERSION: Final = f"1+nh3.{version('nh3')}"
"""Changes with whatever changes the output; part of the generation's code hash. Count up at each change here."""

CONTENT_CHARACTERS_MAX = 100_000
ANGLE_BRACKETS_MAX = 2_000
TAG_CHARACTERS_MAX = 4_096
NESTING_WORK_MAX = 40_000
"""Elements times depth: what unclosed formatting can make the parser repeat (20 ms here)."""
ROUNDS_MAX = 4
URL_CHARACTERS_MAX = 2_048


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words("p br span a abbr del s pre blockquote code b strong u sub sup i em h1 h2 h3 h4 h5 ul ol li ruby rt rp")
# Their text is code, a fallback or a second copy, never what someone wrote to be read.
_TAGS_WITH_CONTENT = _words("script style svg math iframe noembed noframes noscript template")
_ATTRIBUTES = {
    "*": {"lang"},
    "a": {"href", "class", "title", "translate"},
    "abbr": {"title"},
    "span": {"class", "translate"},
    "blockquote": {"cite"},
    "ol": {"start", "reversed"},
    "li": {"value"},
    "p": {"class"},
    "img": {"src", "alt"},
}
_LINK_ENDS = ' target="_blank" rel="nofollow noopener">'
_SCHEMES = frozenset({"http", "https", "xmpp", "magnet", "gemini"})

_CLASS = re.compile(r"(?:h|p|u|dt|e)-[\w-]+|mention|hashtag|ellipsis|invisible|quote-inline")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_EMOJI_SHORTCODE = re.compile(r":[A-Za-z0-9_+-]+:")
# Browsers read "https:x" and "https:///x" as a host too; only what shows its host is one here.
_WEB_URL = re.compile(r"https?://[^\s/?#\\]", re.IGNORECASE)
_UNSAFE_IN_URL = re.compile(r"[\s\x00-\x20\x7f-\x9f\\<>\"\u202a-\u202e\u2066-\u2069]")

# The tokeniser of WHATWG HTML §13.2.5, as far as finding where tags and comments end.
_MARKUP = re.compile(
    r"""<!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>)?)
      | <(?P<end>/?)(?P<name>[a-z][^\s/>]*+)(?:[\s/]++|[^\s/>=][^\s/>=]*+|=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>]*+))*+>?
      | <(?P<odd>[!?/])""",
    re.VERBOSE | re.IGNORECASE,
)
_VOID = _words("area base br col embed hr img input link meta param source track wbr")
_END_IMPLIED = _words("p li dt dd option optgroup rt rp rb rtc tr td th thead tbody tfoot")
# Inside these, tags mean something else or nothing, so what is counted there can't be trusted.
_OTHER_RULES = _words(
    "script style textarea title xmp iframe noembed noframes noscript plaintext svg math template select"
)

# nh3 writes every value in quotes and escapes angle brackets and quotes in it: what looks like a tag is one.
_LINK_OR_IMAGE = re.compile(r"<(?P<end>/?)(?P<name>a|img)(?P<attributes>(?: [^>]*+)?+)>")
_CLEAN_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*+)"')
_NESTING_TAG = re.compile(r"<(/?(?:p|a|h[1-5]|ul|ol|li|pre|blockquote|ruby|rt|rp))\b")

_UNREAD = re.compile(
    r"<(?P<raw>script|style)\b[^<>]*+>.*?(?:</(?P=raw)[^<>]*+>|\Z) | <!--.*?(?:-->|\Z)",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_LINE_BREAK = re.compile(r"<(?:br|/p|/div|/li|/h[1-6]|/blockquote|/pre)\b[^<>]*+>", re.IGNORECASE)
_ANY_TAG = re.compile(r"</?[a-z][^<>]*+>|<[!?][^<>]*+>", re.IGNORECASE)
_CUT_ENTITY = re.compile(r"&[a-z]{0,5}\Z")


def sanitise(html: str) -> str:
    """`html`, from anywhere, as HTML that is safe to show: only allowed elements, attributes, classes and schemes.

    Links open elsewhere (`target`) and vouch for nothing (`rel`); a link that leads nowhere allowed is its text,
    an image a link to itself. Content over the limits above, or that can't be parsed, is escaped plain text, cut
    at CONTENT_CHARACTERS_MAX. Never raises.
    """
    if _costs_too_much(html):
        return _flattened(html)
    html = without_controls(html)
    for _ in range(ROUNDS_MAX):
        cleaned = _guarded(_cleaned, html)
        # What the parser multiplied must not be stored, and must pass here again as it is.
        if cleaned is None or _costs_too_much(cleaned):
            return _flattened(html)
        if cleaned == html or _is_flat(cleaned):
            return cleaned
        html = cleaned
    return _flattened(html)


def plain_text(html_or_text: str) -> str:
    """The text alone, for names, summaries, titles and field names: tags out, entities resolved, ends trimmed.

    Breaks and block ends are newlines. The result is text, not HTML: it may hold "<", and is escaped where shown.
    Call it once: what was escaped in the first pass would be taken for a tag in a second. Cut at
    CONTENT_CHARACTERS_MAX. Never raises.
    """
    text = without_controls(html_or_text[:CONTENT_CHARACTERS_MAX])
    if "<" in text:
        text = _ANY_TAG.sub("", _LINE_BREAK.sub("\n", _UNREAD.sub("", text)))
    if "&" in text:
        text = without_controls(entities.unescape(text))
    return text.strip()


def clean_url(url: str) -> str | None:
    """`url`, trimmed, if it is http or https with a host and nothing hidden in it; None otherwise. Never raises."""
    url = url.strip()
    if len(url) > URL_CHARACTERS_MAX or not _WEB_URL.match(url) or _UNSAFE_IN_URL.search(url):
        return None
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # brackets that hold no address, a port that is none
        return None
    return url if usable else None


def _costs_too_much(html: str) -> bool:
    """Whether parsing `html` might take long: linear itself, and immediate for an ordinary post."""
    brackets = html.count("<")
    if len(html) > CONTENT_CHARACTERS_MAX or brackets > ANGLE_BRACKETS_MAX:
        return True
    if len(html) <= TAG_CHARACTERS_MAX and brackets**2 <= NESTING_WORK_MAX:
        return False
    starts, deepest, open_tags = 0, 0, list[str]()
    for markup in _MARKUP.finditer(html):
        if markup.end() - markup.start() > TAG_CHARACTERS_MAX and markup["name"]:
            return True
        name = (markup["name"] or "").lower()
        if markup["odd"] or name in _OTHER_RULES:
            deepest = brackets
        elif markup["end"]:
            _close(name, open_tags)
        elif name and name not in _VOID:
            if name in _END_IMPLIED and open_tags and open_tags[-1] == name:
                open_tags.pop()
            starts += 1
            open_tags.append(name)
            deepest = max(deepest, len(open_tags))
    return max(starts, 1) * deepest > NESTING_WORK_MAX


def _close(name: str, open_tags: list[str]) -> None:
    """Take `name` off, if it closes the innermost element: what can't be told counts as open, never as closed."""
    depth = len(open_tags)
    while depth and open_tags[depth - 1] != name and open_tags[depth - 1] in _END_IMPLIED:
        depth -= 1
    if depth and open_tags[depth - 1] == name:
        del open_tags[depth - 1 :]


def _attribute(_tag: str, name: str, value: str) -> str | None:
    """What is kept of an attribute that nh3 allows; None removes it."""
    match name:
        case "class":
            value = " ".join(word for word in value.split() if _CLASS.fullmatch(word))
            kept = bool(value)
        case "cite":  # ammonia checks the scheme of a cite, but keeps relative ones
            kept = clean_url(value) is not None
        case "href" | "src":
            value = value.strip()
            kept = not value.lower().startswith("http") or bool(_WEB_URL.match(value))
        case "lang":
            kept = bool(_LANGUAGE.fullmatch(value))
        case "translate":
            kept = value in {"yes", "no"}
        case "start" | "value":
            kept = bool(_NUMBER.fullmatch(value))
        case "reversed":
            value, kept = "", True
        case _:
            kept = True
    return value if kept else None


_CLEANER = nh3.Cleaner(
    tags=set(_TAGS | {"img"}),
    clean_content_tags=set(_TAGS_WITH_CONTENT),
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    # nh3 would write these in an order that depends on the input's; _rewritten always ends a link with them.
    link_rel=None,
    url_schemes=set(_SCHEMES),
    url_relative="deny",
)


def _cleaned(html: str) -> str:
    return without_controls(_rewritten(_CLEANER.clean(html)))


def _guarded(clean: Callable[[str], str], html: str) -> str | None:
    """`clean(html)`, or None where the parser failed."""
    try:
        return clean(html)
    except ValueError:  # text that is not UTF-8 after all
        return None
    except BaseException as failure:
        # A panic in Rust arrives as pyo3_runtime.PanicException, a BaseException that no module exports.
        if type(failure).__module__ != "pyo3_runtime":
            raise
        return None


def _is_flat(clean: str) -> bool:
    """Whether `clean` is paragraphs of phrasing alone: it parses to itself, which other nestings may not."""
    open_tags: set[str] = set()
    for tag in _NESTING_TAG.findall(clean):
        if tag.startswith("/"):
            open_tags.discard(tag[1:])
        elif tag in open_tags or tag not in {"p", "a"}:
            return False
        else:
            open_tags.add(tag)
    return True


def _rewritten(clean: str) -> str:
    """Links opening elsewhere, or as their text where they have no address; images as links or their description."""
    open_links: list[bool] = []

    def rewrite(tag: re.Match[str]) -> str:
        name = tag["name"]
        if name == "img":
            return _image(dict(_CLEAN_ATTRIBUTE.findall(tag["attributes"])), any(open_links))
        if tag["end"]:
            return tag[0] if open_links and open_links.pop() else ""
        open_links.append(' href="' in tag["attributes"])
        return f"<a{tag['attributes']}{_LINK_ENDS}" if open_links[-1] else ""

    return _LINK_OR_IMAGE.sub(rewrite, clean)


def _image(attributes: dict[str, str], inside_link: bool) -> str:
    source, description = attributes.get("src", ""), attributes.get("alt", "")
    shown = _escaped(entities.unescape(description or source))
    if inside_link or not source or _EMOJI_SHORTCODE.fullmatch(description):
        return shown if description else ""
    return f'<a href="{source}"{_LINK_ENDS}{shown}</a>'


def _escaped(text: str) -> str:
    """`text` escaped as nh3 escapes text, so that its own output comes back unchanged."""
    return entities.escape(text, quote=False).replace("\N{NO-BREAK SPACE}", "&nbsp;")


def _flattened(html: str) -> str:
    text = plain_text(html)
    escaped = _escaped(text)
    if len(escaped) > CONTENT_CHARACTERS_MAX:
        escaped = _CUT_ENTITY.sub("", escaped[:CONTENT_CHARACTERS_MAX])
    return escaped
