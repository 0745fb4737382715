"""Questions as values: SQL text and what goes into it. Adapters run them."""

from collections.abc import Mapping
from typing import Any, LiteralString

import msgspec


class Query(msgspec.Struct, frozen=True):
    """`sql` has `%(name)s` for each of `values`; table names are without schema."""

    sql: LiteralString
    values: Mapping[str, Any]
