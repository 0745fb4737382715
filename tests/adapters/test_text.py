"""Lengths: what a reader takes for one character is one, a link is 23, a mention is its name."""

import time

import pytest

from adapters.text import graphemes, length


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello", 5),
        ("日本語", 3),
        ("e\u0301", 1),
        ("Z" + "\u0351" * 40, 1),
        ("👩‍👩‍👧‍👦", 1),
        ("👍🏽", 1),
        ("1️⃣", 1),
        ("🇩🇪🇫🇷", 2),
        ("🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", 1),
        ("क्षि", 1),
        ("각", 1),
        ("a\r\nb\n", 4),
        ("a\u200db", 2),
    ],
)
def test_what_is_read_as_one_character_counts_as_one(text: str, count: int) -> None:
    assert graphemes(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("see https://far.example/" + "a" * 200, 27),
        ("https://bücher.example/ü", 23),
        ("http://[2001:db8::1]/a", 23),
        ("https://far.example/a https://far.example/b", 47),
        ("(https://far.example/a).", 26),
        ("far.example/a", 13),
        ("mailto:bob@far.example", 22),
        ("@bob@far.example hi", 7),
        ("@bob hi", 7),
        (":blobcat: #tag", 14),
        ("👩‍👩‍👧‍👦 @bob@far.example https://far.example", 30),
    ],
)
def test_links_and_mentions_count_as_they_are_shown(text: str, count: int) -> None:
    assert length(text, "") == count


def test_the_content_warning_counts_as_it_is_written() -> None:
    assert length("hi", "👩‍👩‍👧‍👦 cw") == 6
    assert length("", "https://far.example/") == 20


@pytest.mark.parametrize("unit", ["\u0301", "\u200d", "🇩", "👨\u200d", "क्", "\r\n", "a"])
def test_a_hostile_text_is_counted_in_less_than_50_ms(unit: str) -> None:
    text = "e" + unit * 50_000

    def cpu_s() -> float:
        start = time.process_time()
        graphemes(text)
        return time.process_time() - start

    assert min(cpu_s() for _ in range(3)) < 0.05
