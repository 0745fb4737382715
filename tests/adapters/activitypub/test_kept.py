"""Documents made already are handed out while nothing has moved, and there is only so much room for them."""

from adapters.activitypub.kept import BYTES_MAX, KeptDocuments


def test_what_was_made_is_there_until_something_moves() -> None:
    kept = KeptDocuments()
    kept.keep((1, 7), "a", b"old")
    assert kept.find((1, 7), "a") == b"old"
    assert kept.find((1, 8), "a") is None
    kept.keep((1, 8), "b", b"new")
    assert (kept.find((1, 8), "a"), kept.find((1, 8), "b")) == (None, b"new")


def test_what_was_read_before_something_moved_is_not_found_after_it() -> None:
    kept = KeptDocuments()
    kept.keep((1, 8), "a", b"new")
    kept.keep((1, 7), "a", b"late")
    assert kept.find((1, 8), "a") is None


def test_there_is_only_so_much_room() -> None:
    kept, half = KeptDocuments(), b"x" * (BYTES_MAX // 2)
    for name in "abc":
        kept.keep(1, name, half)
    assert [kept.find(1, name) is not None for name in "abc"] == [True, True, False]
