"""Which of PostgreSQL's errors pass by themselves: nothing is wrong with what was asked, and later it is answered."""

from typing import Final

from psycopg import OperationalError, errors

# Most have the class that the driver made for them. The others are of a database that is a replica for a while (a
# switch to another, an upgrade, a provider that has found its disk full), and of limits of time that somebody set.
PASSING: Final = (
    OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
