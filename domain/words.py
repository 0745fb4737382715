"""Words: what a text is found by. The same for what was said and for what is asked, on any day and any database.

Compatibility forms, case and Latin accents make no difference. Scripts that write no spaces are cut into pairs of
characters: whoever asks for some of them asks for those pairs.
"""

import html
import re
import unicodedata
from typing import Final

TEXT_CHARACTERS_MAX: Final = 20_000
WORDS_MAX: Final = 1_000
WORD_CHARACTERS_MAX: Final = 64

_MARKUP: Final = re.compile(r"<[^<>]*>")
# What begins or ends a line of its own.
_BREAKS: Final = ("<br", "<p", "</p", "<li", "</li", "<h", "</h", "<blockquote", "</blockquote")
_ACCENT: Final = re.compile("[\u0300-\u036f]")
_WORD: Final = re.compile(r"\w+")
# Kana, bopomofo, the ideographs, Thai, Lao, Khmer, Myanmar.
_UNSPACED: Final = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3105-\u312f\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
)


def words_of(text: str) -> list[str]:
    """The words of a text, folded, each once, in order of appearance; at most WORDS_MAX."""
    folded = _folded(text[:TEXT_CHARACTERS_MAX])
    if folded.isascii():
        return list(dict.fromkeys([word[:WORD_CHARACTERS_MAX] for word in _WORD.findall(folded)]))[:WORDS_MAX]
    found: dict[str, None] = {}
    for word in _WORD.findall(folded):
        if word.isascii() or _UNSPACED.search(word) is None:
            found[word[:WORD_CHARACTERS_MAX]] = None
            continue
        for part in _UNSPACED.split(word):
            found.update(dict.fromkeys(_pairs(part) if _UNSPACED.match(part) else [part[:WORD_CHARACTERS_MAX]]))
    found.pop("", None)
    return list(found)[:WORDS_MAX]


def text_of_html(sanitised: str) -> str:
    """What sanitised HTML says, for its words alone: tags inside of a word don't part it, breaks do."""
    text = sanitised[: 2 * TEXT_CHARACTERS_MAX]
    if "<" in text:
        for tag in _BREAKS:
            text = text.replace(tag, f" {tag}")
        text = _MARKUP.sub("", text)
    return html.unescape(text) if "&" in text else text


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    parted = _ACCENT.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", parted.casefold())


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]
