"""Local text: what is found in it, how it counts, and the HTML that clients read mentions and tags back out of."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import (
    MentionTarget,
    countable,
    hashtag_key,
    hashtags_in,
    mentions_in,
    to_html,
    tokens,
    without_controls,
)
from tests.costs import PASSES_MAX, in_passes

ORIGIN = "https://home.example"
BOB = MentionTarget("https://far.example/@bob", "bob", "bob@far.example")
OTHER_BOB = MentionTarget("https://home.example/@bob", "bob", "bob")

TEXTS = st.text(
    alphabet=st.sampled_from(list("ab1_.-@#/:()[]<>&\"' \n\t\r\0ü日本\u0301・\ud800")) | st.characters(), max_size=80
) | st.lists(
    st.sampled_from(["https://", "a.example", "/x", "@bob", "@far.example", "#tag", "<b>", "&amp;", "\n\n", " ", ")"])
).map("".join)


def html(text: str, **mentions: MentionTarget) -> str:
    return to_html(text, origin=ORIGIN, mentions=mentions)


class Shown(HTMLParser):
    """What a reader sees: the text between tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(markup: str) -> str:
    reader = Shown()
    reader.feed(markup)
    reader.close()
    return reader.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hello @bob", ["bob"]),
        ("@Bob@Far.Example and @bob@far.example", ["bob@far.example"]),
        ("@b @a @b", ["b", "a"]),
        ("(@bob), .@eve: @al-ice. @d.o.t.", ["bob", "eve", "al-ice", "d.o.t"]),
        ("@bobさん", ["bob"]),
        ("@bob@bücher.example.", ["bob@bücher.example"]),
        ("bob@far.example, x@y", []),
        ("https://far.example/@bob far.example/@bob ?by=@bob", []),
        ("@ @@ @-bob", []),
    ],
)
def test_a_mention_begins_a_word_and_may_name_a_host(text: str, found: list[str]) -> None:
    assert mentions_in(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#foo", ["foo"]),
        ("#日本語 #हिन्दी #снег #ไทยนี้", ["日本語", "हिन्दी", "снег", "ไทยนี้"]),
        ("\uff03full", ["full"]),
        (
            "#2026年 #a1 #1a #snake_case #l·l #コード・ネーム",
            ["2026年", "a1", "1a", "snake_case", "l·l", "コード・ネーム"],
        ),
        ("#Foo #foo #\uff26\uff2f\uff2f", ["Foo"]),
        ("(#foo), #bar.", ["foo", "bar"]),
        ("#123 #_ #・ # ##", []),
        ("a#b ü#b /#b =#b https://far.example/#b", []),
        ("&#39;", []),
        ("#" + "a" * 300, []),
    ],
)
def test_a_hashtag_begins_a_word_and_holds_a_letter(text: str, found: list[str]) -> None:
    assert hashtags_in(text) == found


@pytest.mark.parametrize(
    "names", [("Foo", "#foo"), ("\uff26\uff2f\uff2f", "foo"), ("Straße", "STRASSE"), ("cafe\u0301", "CAFÉ")]
)
def test_hashtags_are_one_by_compatible_forms_and_folded_case(names: tuple[str, str]) -> None:
    assert hashtag_key(names[0]) == hashtag_key(names[1])


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://far.example", "https://far.example"),
        ("see https://far.example/a, or", "https://far.example/a"),
        ("(https://far.example/a)", "https://far.example/a"),
        ("https://far.example/a_(b)", "https://far.example/a_(b)"),
        ("[https://far.example/?q=1#x].", "https://far.example/?q=1#x"),
        ("「https://far.example/a」と", "https://far.example/a"),
        ("https://far.exampleを見て", "https://far.example"),
        ("HTTPS://bücher.example/ü", "HTTPS://bücher.example/ü"),
        ("http://例え.テスト/パス。", "http://例え.テスト/パス"),
        ("http://localhost:3000/@bob", "http://localhost:3000/@bob"),
        ("http://[2001:db8::1]:8080/a", "http://[2001:db8::1]:8080/a"),
        ('"https://far.example/a"', "https://far.example/a"),
    ],
)
def test_a_link_ends_before_the_sentence_that_holds_it(text: str, link: str) -> None:
    assert [token.value for token in tokens(text)] == [link]


@pytest.mark.parametrize(
    "text",
    [
        "far.example/a",
        "https://",
        "https:/a",
        "ftp://far.example",
        "javascript:alert(1)",
        "https://good.example@far.example/",
    ],
)
def test_what_names_no_scheme_or_no_certain_host_is_no_link(text: str) -> None:
    assert not list(tokens(text))


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("https://far.example/" + "a" * 500, "x" * 23),
        ("a http://f.example b", f"a {'x' * 23} b"),
        ("far.example/long/path", "far.example/long/path"),
        ("hi @bob@far.example!", "hi @bob!"),
        ("hi @bob", "hi @bob"),
        ("#tag :blob:", "#tag :blob:"),
        ("https://far.example/@bob@far.example", "x" * 23),
    ],
)
def test_a_link_counts_23_characters_and_a_mention_without_its_host(text: str, counted: str) -> None:
    assert countable(text) == counted


def test_a_mention_is_an_h_card_that_links_the_accounts_page() -> None:
    assert to_html("hi @bob@far.example", origin=ORIGIN, mentions={"bob@far.example": BOB}) == (
        '<p>hi <span class="h-card" translate="no"><a href="https://far.example/@bob" class="u-url mention">'
        "@<span>bob</span></a></span></p>"
    )


def test_two_mentioned_accounts_of_one_name_are_told_apart_by_their_host() -> None:
    markup = to_html("@bob @bob@far.example", origin=ORIGIN, mentions={"bob": OTHER_BOB, "bob@far.example": BOB})
    assert "@<span>bob</span>" in markup
    assert "@<span>bob@far.example</span>" in markup


def test_a_mention_of_nobody_stays_text() -> None:
    assert html("hi @nobody") == "<p>hi @nobody</p>"


def test_a_hashtag_links_this_servers_page_and_keeps_its_spelling() -> None:
    assert html("#Foo") == (
        '<p><a href="https://home.example/tags/foo" class="mention hashtag" rel="tag">#<span>Foo</span></a></p>'
    )
    assert 'href="https://home.example/tags/%E6%9C%AC"' in html("#本")


def test_a_short_link_hides_only_its_scheme() -> None:
    assert html("https://far.example/") == (
        '<p><a href="https://far.example/" target="_blank" rel="nofollow noopener" translate="no">'
        '<span class="invisible">https://</span><span class="">far.example/</span>'
        '<span class="invisible"></span></a></p>'
    )


def test_a_long_link_shows_thirty_characters_after_its_prefix() -> None:
    url = "https://www.far.example/0123456789012345678901234567890123456789"
    assert html(url) == (
        f'<p><a href="{url}" target="_blank" rel="nofollow noopener" translate="no">'
        '<span class="invisible">https://www.</span><span class="ellipsis">far.example/012345678901234567</span>'
        '<span class="invisible">8901234567890123456789</span></a></p>'
    )


def test_a_blank_line_makes_a_paragraph_and_a_newline_a_break() -> None:
    assert html("\na\nb\r\n\r\nc\n\n\n\nd\n") == "<p>a<br />b</p><p>c</p><p>d</p>"
    assert html(" \n ") == ""


def test_everything_written_is_escaped() -> None:
    assert html('<b> & "it\'s" &amp;') == "<p>&lt;b&gt; &amp; &quot;it&#39;s&quot; &amp;amp;</p>"
    assert 'href="https://far.example/?a=1&amp;b=&#39;2"' in html("https://far.example/?a=1&b='2")
    hostile = MentionTarget('https://far.example/"><script>', "<i>", "x")
    assert "<script" not in html("@bob", bob=hostile)
    assert "<i>" not in html("@bob", bob=hostile)


def test_control_characters_and_lone_surrogates_are_left_out() -> None:
    assert html("a\x00\x07\x85b\ud800\tc") == "<p>ab\tc</p>"


@given(TEXTS)
def test_the_html_shows_every_character_that_was_written(text: str) -> None:
    markup = html(text)
    assert "\n" not in markup
    written = without_controls(text).replace("\uff03", "#")
    assert "".join(shown(markup).replace("\uff03", "#").split()) == "".join(written.split())


@given(TEXTS)
def test_tokens_stand_in_order_and_never_overlap(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert end <= token.start < token.end <= len(text)
        end = token.end


@pytest.mark.parametrize(
    "text",
    [
        "@a" * 50_000, "@a." * 33_333, "@a@" * 33_333, "@" * 100_000, "#" * 100_000, "#a" * 50_000, "#1" * 50_000,
        "\n" * 100_000, "<a" * 50_000, "http://" * 14_000, "https://" + "a." * 50_000, "https://" + "a" * 100_000,
        "https://a/" + ")" * 100_000, "https://[" * 11_000, "#" + "1" * 100_000, "#a" + "\u0301" * 50_000,
    ],
    ids=lambda text: repr(text[:10]),
)  # fmt: skip
@pytest.mark.parametrize("read", [html, countable, mentions_in, hashtags_in])
def test_a_hostile_text_costs_some_plain_passes_and_no_more(text: str, read: Callable[[str], object]) -> None:
    assert in_passes(lambda: read(text)) < PASSES_MAX
