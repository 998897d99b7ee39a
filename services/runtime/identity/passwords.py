"""Passwords: argon2id in a bounded pool of threads, and a policy that asks for length instead of decoration."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.runtime.errors import UnavailableError
from services.runtime.http.problems import rejected

P = ParamSpec("P")
T = TypeVar("T")

SHORTEST = 12
LONGEST = 200
_COMMON = ("password", "passw0rd", "qwerty", "letmein", "welcome", "123456", "abcdef", "iloveyou", "changeme", "galw")


def check_password(password: str, *, email: str, name: str, field: str = "password") -> None:
    """Raise `RejectedError` for a password that would be guessed early; *field* is named in the refusal."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise rejected(field, f"expected {SHORTEST} to {LONGEST} characters; a few words do well")
    plain = password.casefold()
    own = [part for part in (email.partition("@")[0], *name.split()) if len(part) >= 4]
    rest = plain
    for word in (*_COMMON, *(part.casefold() for part in own)):
        rest = rest.replace(word, "")
    # What is left after taking out the words that are tried first must still be a password.
    if len(set(rest)) < 5 or len(rest) < SHORTEST // 2:
        raise rejected(field, "too easy to guess: mostly a common word, the own name or one repeated character")


class Passwords:
    """Hashes and verifies in threads of its own: about 0.1 s and 64 MiB each, so few at a time and few waiting."""

    def __init__(self, hasher: PasswordHasher | None = None, *, threads: int = 2, waiting: int = 50) -> None:
        """*waiting* bounds the queue: fifty take two threads about three seconds; later ones are told to come back."""
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threads + waiting
        # Verified against when there is no account, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody signs in with this")

    async def hash(self, password: str) -> str:
        """Return the argon2id hash of *password*."""
        return await self._in_thread(self._hasher.hash, password)

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Tell whether *password* is the hashed one; without a hash the answer is no, after as long a time."""
        verified = await self._in_thread(self._verified, password, hashed or self._nobody)
        return verified and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Tell whether *hashed* was made with weaker parameters than are used now."""
        return self._hasher.check_needs_rehash(hashed)

    def close(self) -> None:
        """Let running threads end; what still waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verified(self, password: str, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[P, T], *arguments: P.args, **_: P.kwargs) -> T:
        if self._places == 0:
            message = "Too many people are signing in at once; try again in a few seconds."
            raise UnavailableError(message, retry_after_s=3)
        self._places -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *arguments))
        finally:
            self._places += 1
