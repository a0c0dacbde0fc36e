"""REST calls of the adapter: one request in, a good body out or a typed error. The connections belong to `net`."""

from urllib.parse import urlsplit

from deltawire.net.api import HttpClient
from deltawire.venues.paradex import rest


def origin_of(rest_url: str) -> str:
    """Return the scheme and host of the REST URL: what an HttpClient is made for."""
    parts = urlsplit(rest_url)
    return f"{parts.scheme}://{parts.netloc}"


class HttpCaller:
    def __init__(self, client: HttpClient, rest_url: str, timeout_s: float) -> None:
        self._client, self._timeout_s = client, timeout_s
        self.base = urlsplit(rest_url).path.rstrip("/")  # the path every call begins with

    async def call(self, request: rest.HttpRequest) -> bytes:
        """Return the body of a 2xx answer.

        Raises Refused (the venue said no), errors.Unavailable or HttpFailure (both ConnectionError: nothing is known).
        """
        response = await self._client.request(
            request.method,
            self.base + request.path,
            dict(request.headers),
            request.body or None,
            timeout_s=self._timeout_s,
        )
        return rest.check(response.status, response.body)

    async def close(self) -> None:
        await self._client.close()
