"""Progress is told by a bar for each step that has begun, and by none for what never does."""

from io import StringIO

from rich.console import Console

from workers.progress import progress_of, telling


def a_page() -> tuple[Console, StringIO]:
    """No terminal, so that only how it ended is written."""
    page = StringIO()
    return Console(file=page, width=120), page


def test_each_step_has_a_bar_in_the_order_in_which_they_begin() -> None:
    console, page = a_page()
    with telling(console) as tell:
        tell("pictures", 1, 2)
        tell("events", 5, 10)
        tell("pictures", 2, 2)
    first, second = page.getvalue().splitlines()
    assert first.startswith("Pictures ") and "2/2" in first
    assert second.startswith("Events ") and "5/10" in second


def test_what_never_begins_is_not_shown() -> None:
    console, page = a_page()
    with progress_of(console, "Building read models that are gone"):
        pass
    assert page.getvalue().strip() == ""


def test_what_an_earlier_run_did_says_nothing_of_how_fast_this_one_is() -> None:
    console, page = a_page()
    with progress_of(console, "Building generation 3") as tell:
        tell(5_000, 5_001)
    assert "5000/5001" in page.getvalue()
    assert "events/s" not in page.getvalue()
    with progress_of(console, "Building generation 4") as tell:
        tell(0, 10_000)
        tell(5_000, 10_000)
        tell(10_000, 10_000)
    assert "events/s" in page.getvalue()
