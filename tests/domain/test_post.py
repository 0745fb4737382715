"""Posts: published, edited and deleted by their author alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import post
from domain.events import NotFound, Refused
from domain.post import (
    Attachment,
    DeletePost,
    EditPost,
    PostCommand,
    PostDeleted,
    PostEdited,
    PostPublished,
    PublishPost,
)
from tests.domain.deciding import NOW, decided, folded

URI = "https://our.test/ap/users/1/statuses/5"


def publish(text: str = "hello", **more: object) -> PublishPost:
    values = {"post": 5, "author": 1, "uri": URI, "url": URI, "visibility": "public", "text": text, "length": len(text)}
    return PublishPost(**(values | more))


def edit(text: str = "better", editor: int = 1, attachments: tuple[Attachment, ...] = ()) -> EditPost:
    return EditPost(post=5, editor=editor, text=text, length=len(text), attachments=attachments)


published = decided(post, given=[], when=publish())[0]
cat = Attachment(url="https://our.test/media/cat.jpg", kind="image", media=9)
deleted = PostDeleted(post=5, author=1, deleted_at=NOW)


def test_what_is_published_says_when_by_whom_and_to_whom() -> None:
    assert isinstance(published, PostPublished)
    assert (published.post, published.author, published.text, published.published_at) == (5, 1, "hello", NOW)


def test_publishing_again_is_silence() -> None:
    assert decided(post, given=[published], when=publish()) == []


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_post_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="blank"):
        decided(post, given=[], when=publish(text))


def test_a_content_warning_alone_is_a_post() -> None:
    assert len(decided(post, given=[], when=publish("", spoiler_text="beware"))) == 1


def test_the_limit_is_five_thousand_characters_as_counted_at_the_edge() -> None:
    assert len(decided(post, given=[], when=publish("x", length=5_000))) == 1
    with pytest.raises(Refused, match="5000"):
        decided(post, given=[], when=publish("x", length=5_001))


def test_an_edit_says_what_the_post_says_now_and_the_same_again_is_silence() -> None:
    events = decided(post, given=[published], when=edit())
    assert isinstance(events[0], PostEdited) and events[0].text == "better"
    assert decided(post, given=[published, *events], when=edit()) == []


def test_a_picture_alone_is_a_post_and_at_most_four_are_attached() -> None:
    (event,) = decided(post, given=[], when=publish("", attachments=(cat,)))
    assert isinstance(event, PostPublished) and event.attachments == (cat,)
    assert len(decided(post, given=[], when=publish(attachments=(cat,) * 4))) == 1
    with pytest.raises(Refused, match="at most 4"):
        decided(post, given=[], when=publish(attachments=(cat,) * 5))


def test_an_edit_that_changes_nothing_but_the_pictures_or_what_they_show_is_an_edit() -> None:
    shown = decided(post, given=[], when=publish(attachments=(cat,)))
    described = Attachment(url=cat.url, kind="image", media=9, description="a cat")
    for attachments in ((), (described,), (cat, described)):
        events = decided(post, given=shown, when=edit("hello", attachments=attachments))
        assert isinstance(events[0], PostEdited) and events[0].attachments == attachments
    assert decided(post, given=shown, when=edit("hello", attachments=(cat,))) == []


@pytest.mark.parametrize("command", [edit(editor=2), DeletePost(post=5, deleter=2)])
def test_somebody_elses_post_looks_as_if_it_were_not_there(command: PostCommand) -> None:
    with pytest.raises(NotFound):
        decided(post, given=[published], when=command)


def test_a_deleted_post_cannot_be_edited_and_deleting_twice_is_silence() -> None:
    assert decided(post, given=[published], when=DeletePost(post=5, deleter=1)) == [deleted]
    assert decided(post, given=[published, deleted], when=DeletePost(post=5, deleter=1)) == []
    with pytest.raises(NotFound):
        decided(post, given=[published, deleted], when=edit())


commands = st.one_of(
    st.builds(publish, st.sampled_from(["a", "b"])),
    st.builds(edit, st.sampled_from(["a", "b"])),
    st.just(DeletePost(post=5, deleter=1)),
)


@given(st.lists(commands), commands)
def test_the_same_command_twice_changes_nothing_more(before: list[PostCommand], command: PostCommand) -> None:
    state = post.INITIAL
    for one in (*before, command):
        try:
            events = post.decide(state, one, NOW)
        except Refused:
            continue
        for event in events:
            state = post.evolve(state, event)
    try:
        assert list(post.decide(state, command, NOW)) == []
    except NotFound:
        assert state.deleted or state.author is None
    assert folded(post, []) == post.INITIAL
