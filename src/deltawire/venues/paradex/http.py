"""REST calls of the adapter: one request in, a good body out or a typed error. The connections belong to `net`.

Counts each call in the budgets; never waits for one.
"""

from urllib.parse import urlsplit

from deltawire.net.api import HttpClient
from deltawire.venues.contract import Clock
from deltawire.venues.paradex import rest
from deltawire.venues.paradex.budget import Budgets


def origin_of(rest_url: str) -> str:
    """Return the scheme and host of the REST URL: what an HttpClient is made for."""
    parts = urlsplit(rest_url)
    return f"{parts.scheme}://{parts.netloc}"


class HttpCaller:
    def __init__(self, client: HttpClient, rest_url: str, timeout_s: float, *, budgets: Budgets, clock: Clock) -> None:
        self._client, self._timeout_s, self._budgets, self._clock = client, timeout_s, budgets, clock
        self.base = urlsplit(rest_url).path.rstrip("/")  # the path every call begins with

    async def call(self, request: rest.HttpRequest) -> bytes:
        """Return the body of a 2xx answer.

        Raises Refused (the venue said no), errors.Unavailable or HttpFailure (both ConnectionError: nothing is known).
        """
        is_private = "Authorization" in request.headers
        self._budgets.call_sent(request.method, is_private=is_private, now_mono_ns=self._clock.mono_ns())
        response = await self._client.request(
            request.method,
            self.base + request.path,
            dict(request.headers),
            request.body or None,
            timeout_s=self._timeout_s,
        )
        self._budgets.answered(
            request.method,
            is_private=is_private,
            status=response.status,
            headers=response.headers,
            now_mono_ns=self._clock.mono_ns(),
        )
        return rest.check(response.status, response.body)

    async def close(self) -> None:
        await self._client.close()
