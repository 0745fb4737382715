"""The one exception that says: try again soon, nothing is wrong with what you asked."""


class Unavailable(Exception):
    """Something we depend on (a database, most of all) can't answer now; the API says 503 with Retry-After."""

    def __init__(self, what: str, *, retry_after_s: int = 5) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s
