"""The checkpoint: how far a generation has come, by the library's tracking interface, in its batch's transaction."""

import psycopg
from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder

# The checkpoint only ever moves forward.
_MOVE = """
    INSERT INTO checkpoint (application_name, notification_id) VALUES (%s, %s)
    ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id
    WHERE checkpoint.notification_id < excluded.notification_id
"""


class Checkpoint(TrackingRecorder):
    """On a connection whose search_path is a generation's schema. Never commits by itself."""

    def __init__(self, connection: psycopg.Connection) -> None:
        super().__init__()
        self._connection = connection

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move forward. Raises IntegrityError for a position already passed."""
        cursor = self._connection.execute(_MOVE, [tracking.application_name, tracking.notification_id])
        if cursor.rowcount != 1:
            raise IntegrityError(f"{tracking.application_name} has already passed {tracking.notification_id}")

    def max_tracking_id(self, application_name: str) -> int | None:
        """The position come to, None before the first."""
        row = self._connection.execute(
            "SELECT notification_id FROM checkpoint WHERE application_name = %s", [application_name]
        ).fetchone()
        return row[0] if row else None
