"""Passwords: Argon2id with the parameters OWASP names as its first choice but one (t=2, 19 MiB, p=1)."""

import asyncio
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

# Each check holds 19 MiB and a core for some tens of milliseconds, so a flood of log-ins must queue.
CHECKS_AT_ONCE_MAX = 2
PASSWORD_BYTES_MAX = 1_024


class Checked(NamedTuple):
    """Whether the password was right, and a fresh hash to store where the old one's parameters are outdated."""

    right: bool
    rehashed: str | None


class Passwords:
    """Hashes and checks passwords in threads, at most `CHECKS_AT_ONCE_MAX` at once."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
        self._turns = asyncio.Semaphore(CHECKS_AT_ONCE_MAX)
        self._nobody: str | None = None

    def hash(self, password: str) -> str:
        """The encoded hash to store. Raises ValueError for a password of more than 1,024 bytes."""
        if len(password.encode()) > PASSWORD_BYTES_MAX:
            raise ValueError("a password may have at most 1,024 bytes")
        return self._hasher.hash(password)

    async def check(self, stored: str | None, given: str) -> Checked:
        """Whether `given` is the password of `stored`; with no `stored` it takes the same time and is wrong."""
        async with self._turns:
            return await asyncio.to_thread(self._check, stored, given)

    def _check(self, stored: str | None, given: str) -> Checked:
        if len(given.encode(errors="replace")) > PASSWORD_BYTES_MAX:
            return Checked(False, None)
        if stored is None:
            # Nobody's password is checked too, so that time does not tell who has an account here (O08).
            if self._nobody is None:
                self._nobody = self._hasher.hash("")
            self._right(self._nobody, given)
            return Checked(False, None)
        if not self._right(stored, given):
            return Checked(False, None)
        return Checked(True, self._hasher.hash(given) if self._hasher.check_needs_rehash(stored) else None)

    def _right(self, stored: str, given: str) -> bool:
        try:
            return self._hasher.verify(stored, given)
        except (VerificationError, InvalidHashError):
            return False
