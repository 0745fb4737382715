"""Ids: one bit tells whose they are, and whoever writes it otherwise means the same one."""

from domain.ids import COUNTER_MASK, REMOTE_BIT, local_id
from projections.home import LOCAL_FOLLOWER


def test_an_id_of_ours_never_has_the_bit_of_remote_ones() -> None:
    for counter in (0, COUNTER_MASK, COUNTER_MASK + 1, 2 * COUNTER_MASK):
        assert local_id(1_700_000_000_000, counter) & REMOTE_BIT == 0


def test_homes_are_kept_by_the_same_bit() -> None:
    assert f"f.follower & {REMOTE_BIT} = 0" == LOCAL_FOLLOWER
