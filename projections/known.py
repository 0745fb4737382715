"""Whether a URI means something here: asked before anybody is bothered about it."""

from projections.query import Query


def meant_by(uri: str) -> Query:
    """One row if the URI means something here, also what is gone: its kind ("account", "post", …)."""
    return Query("SELECT kind FROM known WHERE uri = %(uri)s::text", {"uri": uri})
