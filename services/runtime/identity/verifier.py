"""Where the public keys come from in a process that does not hold the identity schema."""

from collections.abc import Sequence

import aiohttp

from services.runtime.errors import UnavailableError
from services.runtime.identity.keys import PublicKey


class HttpKeys:
    """Fetches the JWKS of `/api/identity/jwks`; *url* is that address in full."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        """The *session* belongs to the caller."""
        self._url = url
        self._session = session

    async def fetch(self) -> Sequence[PublicKey]:
        """Return the keys; raise `UnavailableError` when they cannot be had within five seconds."""
        try:
            timeout = aiohttp.ClientTimeout(total=5)
            async with self._session.get(self._url, timeout=timeout, allow_redirects=False) as answer:
                answer.raise_for_status()
                return (await answer.json())["keys"]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
            raise UnavailableError(f"The signing keys cannot be fetched from {self._url}.", retry_after_s=5) from error
