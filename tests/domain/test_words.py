"""Words: the same for what was said and what is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.words import WORD_CHARACTERS_MAX, WORDS_MAX, text_of_html, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat, the CAT!", ["the", "cat"]),
        ("Crème brûlée, Straße, ﬁne", ["creme", "brulee", "strasse", "fine"]),
        ("#hash_tag @user@host.example", ["hash_tag", "user", "host", "example"]),
        ("東京都 and 猫", ["東京", "京都", "and", "猫"]),
        ("mixed東京x", ["mixed", "東京", "x"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("", []),
        ("?! …", []),
    ],
)
def test_case_accents_and_forms_make_no_difference_and_unspaced_scripts_are_paired(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_markup_is_no_word_and_does_not_part_one() -> None:
    html = '<p>Go<b>od</b> morning<br>all &amp; <a href="https://x.test/y">x.test</a></p><p>end</p>'
    assert words_of(text_of_html(html)) == ["good", "morning", "all", "x", "test", "end"]


@given(st.text())
def test_any_text_has_bounded_words_without_spaces_that_find_it(text: str) -> None:
    words = words_of(text)
    assert len(words) <= WORDS_MAX
    for word in words:
        assert 0 < len(word) <= WORD_CHARACTERS_MAX
        assert not any(character in " '\\\0" for character in word)
    assert set(words_of(" ".join(words))) <= {*words, *words_of(" ".join(words))}


@given(st.text(max_size=60))
def test_a_part_of_words_is_found_by_its_words(text: str) -> None:
    assert set(words_of(text)) <= set(words_of(f"before {text} after"))
