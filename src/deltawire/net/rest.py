"""Calls that are not orders, over aiohttp: kept alive, verified, bounded in time and size. Never the order path.

Redirects are not followed and cookies not kept, so credentials go nowhere but to the origin asked. aiohttp itself sends
an idempotent request (GET, PUT, DELETE) once more when a kept-alive connection turns out dead; a POST never.
"""

import ssl
from collections.abc import Mapping
from types import SimpleNamespace

import aiohttp
from yarl import URL

from deltawire.net.api import HttpFailure, HttpResponse, NowNs
from deltawire.net.h1 import RESPONSE_BYTES_MAX
from deltawire.net.pool import split_origin
from deltawire.net.ws import USER_AGENT

# Longer than the pauses between the adapters' renewals and polls would be no use: servers drop idle ones near a minute.
_KEEPALIVE_S = 55.0
_CONNECTIONS_MAX = 8


class RestClient:
    """One origin. Make it on the running loop; `close` ends its connections."""

    def __init__(
        self,
        origin: str,
        *,
        ssl_context: ssl.SSLContext,
        now_ns: NowNs,
        response_bytes_max: int = RESPONSE_BYTES_MAX,
    ) -> None:
        self._origin = split_origin(origin)[0]
        self._now_ns, self._response_bytes_max = now_ns, response_bytes_max
        self._session = aiohttp.ClientSession(
            self._origin,
            connector=aiohttp.TCPConnector(
                ssl=ssl_context, limit=_CONNECTIONS_MAX, keepalive_timeout=_KEEPALIVE_S, ttl_dns_cache=60
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
            trace_configs=[self._trace()],
        )

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        timeout_s: float = 10.0,
    ) -> HttpResponse:
        """Send one request and read its whole answer. Raises HttpFailure, whatever went wrong.

        connection_age_ns is 0 (aiohttp does not tell); connection_requests is 1 for "at least one" on a reused one.
        """
        facts = SimpleNamespace(sent_mono_ns=0, reused=False)
        where = f"{method} {self._origin}{target.partition('?')[0]}"  # a query may carry a key
        if self._session.closed:
            raise HttpFailure(f"{where}: this client is closed", maybe_sent=False)
        try:
            async with self._session.request(
                method,
                URL(target, encoded=True),  # as signed: not to be quoted anew
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                trace_request_ctx=facts,
            ) as response:
                received_mono_ns = self._now_ns()
                content = await self._read(response)
        except TimeoutError as e:
            raise HttpFailure(f"{where}: no answer within {timeout_s:g} s", maybe_sent=facts.sent_mono_ns > 0) from e
        except (aiohttp.ClientError, OSError) as e:
            reason = f"{where}: {type(e).__name__}: {e}"
            raise HttpFailure(reason, maybe_sent=facts.sent_mono_ns > 0) from e
        return HttpResponse(
            response.status,
            {name.lower(): value for name, value in response.headers.items()},
            content,
            facts.sent_mono_ns,
            received_mono_ns,
            facts.reused,
            0,
            int(facts.reused),
        )

    async def close(self) -> None:
        await self._session.close()

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > self._response_bytes_max:
                raise aiohttp.ClientPayloadError(f"answer over {self._response_bytes_max} bytes")
        return bytes(content)

    def _trace(self) -> aiohttp.TraceConfig:
        trace = aiohttp.TraceConfig()

        async def on_sent(_session: aiohttp.ClientSession, ctx: SimpleNamespace, _params: object) -> None:
            # Called just before the head goes to the socket: not called means that nothing was sent.
            ctx.trace_request_ctx.sent_mono_ns = self._now_ns()

        async def on_reused(_session: aiohttp.ClientSession, ctx: SimpleNamespace, _params: object) -> None:
            ctx.trace_request_ctx.reused = True

        async def on_created(_session: aiohttp.ClientSession, ctx: SimpleNamespace, _params: object) -> None:
            ctx.trace_request_ctx.reused = False

        trace.on_request_headers_sent.append(on_sent)
        trace.on_connection_reuseconn.append(on_reused)
        trace.on_connection_create_end.append(on_created)
        return trace
