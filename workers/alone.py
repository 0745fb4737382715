"""The embedded database alone, for commands that are run while the instance is not."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from adapters.config import Settings
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.processes import working_in
from workers.preflight import only_one


@contextmanager
def database_in(data: Path) -> Generator[str]:
    """A PostgreSQL of ours in a data folder, made if there is none, until the block ends; gives the owner's URL.

    Raises NotReady when an instance runs there, EmbeddedError when it does not start.
    """
    with only_one(data):
        server = EmbeddedPostgres(data)
        server.start()
        try:
            yield server.dsn()
        finally:
            server.stop()


@contextmanager
def started_if_stopped(settings: Settings) -> Generator[None]:
    """See to it that the instance's embedded database runs, if it has one: it does while the instance does."""
    cluster = settings.data / "postgres"
    stopped = settings.database_url is None and settings.database_app_url is None and (cluster / "PG_VERSION").exists()
    with database_in(settings.data) if stopped and not working_in(cluster, "postgres") else nullcontext():
        yield
