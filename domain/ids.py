"""Ids: 64 bits, ordered by time, decimal in the client API. Bit 15 tells remote ones from ours, so they never clash.

milliseconds since 1970 << 16 | remote << 15 | 15 bits (a counter for ours, a hash for theirs).
"""

REMOTE_BIT = 0x8000
COUNTER_MASK = 0x7FFF


def milliseconds_of(number: int) -> int:
    """When an id was given, whosever it is."""
    return number >> 16


def local_id(milliseconds: int, counter: int) -> int:
    """An id of ours."""
    return milliseconds << 16 | counter & COUNTER_MASK
