"""Ids in our own URLs: decimal, and in one spelling only, so that nothing has two addresses."""

import re

from api.errors import NotFound

ID_MAX = 2**63 - 1
_ID = re.compile(r"[1-9][0-9]{0,18}")


def number_of(text: str) -> int:
    """The id. Raises NotFound for what is none."""
    if not _ID.fullmatch(text) or int(text) > ID_MAX:
        raise NotFound
    return int(text)
