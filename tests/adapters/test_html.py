"""Remote HTML: whatever comes, only what is allowed goes on, quickly, and nothing raises."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters import html
from adapters.html import clean_url, plain_text, sanitise
from tests.costs import PASSES_MAX, in_passes

ALLOWED_TAGS = " p br span a abbr del s pre blockquote code b strong u sub sup i em h1 h2 h3 h4 h5 ul ol li ruby rt rp "
ALLOWED_ATTRIBUTES = {
    "a": {"href", "rel", "class", "title", "translate", "target"},
    "abbr": {"title"},
    "span": {"class", "translate"},
    "blockquote": {"cite"},
    "ol": {"start", "reversed"},
    "li": {"value"},
    "p": {"class"},
}
ALLOWED_CLASS = re.compile(r"(h|p|u|dt|e)-.+|mention|hashtag|ellipsis|invisible|quote-inline")
ALLOWED_URL = re.compile(r"(https?://|xmpp:|magnet:|gemini:)", re.IGNORECASE)

PIECES = (
    "<p> </p> <br> <b> </b> <i x=1> </i> <a> <a_href='https://a.example/'> <a_href=/x> </a> "
    "<a_rel=x_href='https://b.example/'_target=y> "
    "<div> </div> <ul> <ol_start=3> <li> </ul> <h1> </h1> <h6> <pre> </pre> <blockquote_cite='//x'> </blockquote> "
    "<table> <tr> <td> </table> <svg> </svg> <math> <mi> <mtext> <title> </title> <style> </style> <script> </script> "
    "<textarea> </textarea> <noscript> </noscript> <template> <object> </object> <select> <option> <button> <form> "
    "<!-- --> <![CDATA[ ]]> <?x <!doctype_html> <plaintext> <ruby> <rt> <rp> <span_class='h-x_evil'> </span> "
    "<img_src='https://a.example/i'_alt='<b>'> <img_src=x_onerror=y> <p_class='quote-inline'_style=x> &lt; &amp; &#0; "
    "&#1; &#xd800; &nbsp; &quot; \" ' < > & x text </x <a_title=\"<img src='https://a.example/'>\"> <nobr> <font_a=1>"
)
MARKUP = st.lists(
    st.sampled_from([piece.replace("_", " ") for piece in re.split(" ", PIECES)] + ["\n", "\0", "\r", "é", "\ud800"])
)


class Found(HTMLParser):
    """The tags and attributes of a markup, checked against the allow-list as they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert f" {tag} " in ALLOWED_TAGS
        for name, value in attrs:
            assert name in ALLOWED_ATTRIBUTES.get(tag, set()) | {"lang"}
            if name in {"href", "cite"}:
                assert ALLOWED_URL.match(value or "")
            if name == "class":
                assert all(ALLOWED_CLASS.fullmatch(word) for word in (value or "").split())
        if tag == "a":
            self.links.append(dict(attrs))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def links_in(markup: str) -> list[dict[str, str | None]]:
    found = Found()
    found.feed(markup)
    found.close()
    return found.links


@pytest.mark.parametrize(
    ("hostile", "clean"),
    [
        ("a<script>alert(1)</script>b", "ab"),
        ("a<style>p{}</style>b", "ab"),
        ("a<svg onload=x><script>y</script></svg>b", "ab"),
        ("a<math><mi>x</mi><style><img src=x onerror=y></style></math>b", "ab"),
        ("a<iframe src=x>y</iframe><embed src=x><object data=x></object>b", "ab"),
        ("<form action=x>a<input name=y></form><base href=x><meta http-equiv=refresh>b", "ab"),
        ("<template><b>x</b></template>a<!-- <b> -->b<!doctype html>", "ab"),
        ("<![CDATA[x]]>a", "a"),
        ("<h6>a</h6><h1>b</h1>", "a<h1>b</h1>"),
        ("<p><b>open", "<p><b>open</b></p>"),
        ('<noscript><p title="</noscript><img src=x onerror=y>">', '"&gt;'),
        ("<p>AT&amp;T &lt;b&gt;\x00\x07</p>", "<p>AT&amp;T &lt;b&gt;</p>"),
        ("1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"),
        ("\ud800a", "a"),
    ],
)
def test_what_is_not_allowed_goes_and_what_was_written_stays(hostile: str, clean: str) -> None:
    assert sanitise(hostile) == clean


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)", "JaVaScRiPt:x", "java\nscript:x", "java&#115;cript:x",
        "&#1;javascript:x", " javascript:x",
        "data:text/html,x", "vbscript:x", "file:///etc/passwd", "ftp://far.example/", "/path",
        "//evil.example", "x", "",
        "https:", "https:x", "https:///x", "http:\\\\evil.example",
    ],
)  # fmt: skip
def test_a_link_that_leads_nowhere_allowed_is_its_text(href: str) -> None:
    assert sanitise(f'<p><a href="{href}" class="mention">x</a></p>') == "<p>x</p>"


@pytest.mark.parametrize("href", ["https://far.example/", "xmpp:b@far.example", "magnet:?xt=1", "gemini://far.example"])
def test_an_allowed_link_opens_elsewhere_and_vouches_for_nothing(href: str) -> None:
    assert links_in(sanitise(f'<a href="{href}" rel="me opener" target="_top">x</a>')) == [
        {"href": href, "target": "_blank", "rel": "nofollow noopener"}
    ]


def test_mentions_and_hashtags_keep_what_clients_know_them_by() -> None:
    mention = '<a href="https://h.example/@b" class="u-url mention">@<span>b</span></a>'
    card = sanitise(f'<span class="h-card" translate="no">{mention}</span>')
    assert card.startswith('<span class="h-card" translate="no"><a ')
    assert links_in(card)[0]["class"] == "u-url mention"
    hashtag = sanitise('<a href="https://h.example/t" class="mention hashtag x" rel="tag">#t</a>')
    assert links_in(hashtag)[0]["class"] == "mention hashtag"


def test_only_known_classes_and_attributes_survive() -> None:
    styled = '<span class="invisible fixed modal" style="x" id="y" data-z="1" onclick="w">a</span>'
    assert sanitise(styled) == '<span class="invisible">a</span>'
    assert sanitise('<span class="fixed">a</span>') == "<span>a</span>"
    assert sanitise('<p class="quote-inline" lang="de-CH">a</p>') == '<p class="quote-inline" lang="de-CH">a</p>'
    assert sanitise("<p lang='\"><x' title=a>a</p>") == "<p>a</p>"
    assert sanitise("<ol start=3 reversed><li value=x>a</ol>") == '<ol start="3" reversed=""><li>a</li></ol>'


def test_an_image_becomes_a_link_or_what_it_shows() -> None:
    link = '<a href="https://far.example/i.png" target="_blank" rel="nofollow noopener">'
    assert sanitise('<img src="https://far.example/i.png" alt="a &lt;cat&gt;">') == f"{link}a &lt;cat&gt;</a>"
    assert sanitise('<img src="https://far.example/i.png">') == f"{link}https://far.example/i.png</a>"
    assert sanitise('<img src="x" onerror="y" alt="a cat">') == "a cat"
    assert sanitise('<img src="javascript:x">') == ""
    assert sanitise('<img src="https://far.example/i.png" alt=":blob:">') == ":blob:"
    linked = '<a href="https://far.example/i.png"><img src="https://far.example/small.png" alt="cat"></a>'
    assert sanitise(linked) == f"{link}cat</a>"


@given(MARKUP.map("".join) | st.text())
@example("<p><table><tr><td><p>x")
@example("<a href='https://a.example/' target='x' rel='tag' class='hashtag'>x</a>")
@example("<pre>\n\n\nx")
@example("<a href='https://a.example/'><table><a href='https://b.example/'>x")
def test_only_the_allow_list_comes_out_and_again_changes_nothing(markup: str) -> None:
    clean = sanitise(markup)
    assert all("href" in link and link["rel"] == "nofollow noopener" for link in links_in(clean))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", clean)
    assert sanitise(clean) == clean


HOSTILE = {
    "deep lists": "<ul><li>" * 40_000,
    "deep divs": "<div>" * 100_000,
    "deep, within the count": "<div>" * 2_000,
    "5 MB of paragraphs": "<p>x</p>" * 650_000,
    "5 MB of text": "a&" * 2_500_000,
    "tags that never end": "<a" * 50_000,
    "brackets": "<" * 100_000,
    "ampersands": "&" * 100_000,
    "attributes": "<b " + " ".join(f"a{n}" for n in range(14_000)) + ">x",
    "attributes, a little at a time": ("<b " + " ".join(f"{n:x}" for n in range(800)) + ">x") * 20,
    "attributes behind a quoted bracket": "<b " + 'a=">" ' * 3 + " ".join(f"{n:x}" for n in range(20_000)),
    "formatting that every paragraph repeats": "<p>" + "".join(f"<i {n:x}>" for n in range(20)) + "<p>x" * 1_900,
    "formatting that a comment seems to close": "".join(f"<i {n}><!--</i>-->" for n in range(300)) + "<p>x" * 1_000,
    "formatting inside a raw element": '<title><x a="</title>'
    + "".join(f"<i {n}>" for n in range(200))
    + '">'
    + "<p>x" * 1_700,
    "misnested formatting": "".join(f"<b {n}><p>" for n in range(900)),
    "scripts": "<script>" * 12_500,
    "comments": "<!--" * 25_000,
    "entities": "&CounterClockwiseContourIntegral" * 3_000,
    "NUL": "\0" * 100_000,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("read", [sanitise, plain_text])
def test_hostile_markup_costs_some_plain_passes_and_does_not_grow(hostile: str, read: Callable[[str], str]) -> None:
    assert len(read(hostile)) <= html.CONTENT_CHARACTERS_MAX
    assert in_passes(lambda: read(hostile)) < PASSES_MAX
    assert sanitise(sanitise(hostile)) == sanitise(hostile)


def test_an_ordinary_long_article_keeps_its_markup() -> None:
    section = (
        "<h2>Part</h2><!-- more --><p>One <em>two</em> <a href='https://far.example/'>three</a><br>four"
        "<ul><li>five<li><b>six</b></ul><div class=wide><table><tr><td>seven</table></div>"
    )
    assert "<li><b>six</b></li>" in sanitise(section * 60)


def test_content_over_the_limits_keeps_its_words_as_text() -> None:
    assert sanitise("<p>a &lt; b</p>" * 1_500).startswith("a &lt; b\na &lt; b\n")


class PanicException(BaseException):
    """What a panic in the parser looks like from Python."""

    __module__ = "pyo3_runtime"


def test_a_parser_that_panics_gives_no_markup_and_an_interrupt_passes() -> None:
    def panics(_: str) -> str:
        raise PanicException

    def is_interrupted(_: str) -> str:
        raise KeyboardInterrupt

    assert html._guarded(panics, "<p>") is None  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(KeyboardInterrupt):
        html._guarded(is_interrupted, "<p>")  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("given_text", "text"),
    [
        ("Bob", "Bob"),
        (" <b>Bob</b> &amp; Eve\x00 ", "Bob & Eve"),
        ("I <3 you, 1 < 2", "I <3 you, 1 < 2"),
        ("&lt;script&gt;", "<script>"),
        ("<p>one</p><p>two<br>three</p>", "one\ntwo\nthree"),
        ("a<script>x</script><style>y</style><!-- z -->b", "ab"),
        ("a<script>x", "a"),
        ("<img src=x onerror=y>:blob: <a href='javascript:x'>z</a>", ":blob: z"),
        ("&#0;&#xd800;&#1;a\u202e", "\ufffd\ufffda\u202e"),
        ("\ud800", ""),
    ],
)
def test_plain_text_has_no_tags_and_no_entities(given_text: str, text: str) -> None:
    assert plain_text(given_text) == text


@given(MARKUP.map("".join) | st.text())
def test_plain_text_takes_anything_and_can_be_stored(text: str) -> None:
    assert "\0" not in plain_text(text).encode().decode()


@pytest.mark.parametrize(
    "url",
    [
        "https://far.example", "http://far.example:8080/a?b=c#d", "HTTPS://Far.Example/", "https://bücher.example/ü",
        "http://127.0.0.1:3000/@bob", "https://[2001:db8::1]/a",
    ],
)  # fmt: skip
def test_a_web_address_with_a_host_is_kept(url: str) -> None:
    assert clean_url(f" {url}\n") == url


@pytest.mark.parametrize(
    "url",
    [
        "", "far.example", "/a", "//far.example/a", "https:", "https://", "https:///a", "https:far.example", "https://:80/",
        "javascript:alert(1)", "data:text/html,x", "ftp://far.example/", "xmpp:a@b", "file:///x",
        "https://a b.example/",
        "https://good.example\\@far.example/", "https://good.example@far.example/", "https://far.example/\x00",
        "java\nscript:x", "https://far\n.example/", "https://far.example/\u202egpj.exe", "https://far.example:99999/",
        "https://[::1", "https://[x]/", "https://far.example/" + "a" * 3_000, "https://far.example/\"><b>",
    ],
)  # fmt: skip
def test_any_other_address_is_none(url: str) -> None:
    assert clean_url(url) is None


@given(st.text() | st.text().map("https://".__add__))
def test_an_address_is_kept_or_refused_and_never_raises(url: str) -> None:
    kept = clean_url(url)
    assert kept is None or kept.lower().startswith(("http://", "https://"))
