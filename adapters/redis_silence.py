"""A look at the Redis server that `REDIS_URL` names, before anything depends on it."""

from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from adapters.config import SettingsError

PATIENCE_S: Final = 1.0


def why_silent(url: str) -> str | None:
    """Why the server at `url` can't be used, in its words; None when it answers.

    Raises SettingsError when `url` can't be understood.
    """
    try:
        client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
            url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        # Neither the value nor the error is repeated: they may hold a password.
        raise SettingsError("REDIS_URL can't be understood: it must read like redis://localhost:6379/0.") from error
    with client:
        try:
            client.ping()  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
        except (RedisError, OSError) as error:
            return str(error)
    return None
