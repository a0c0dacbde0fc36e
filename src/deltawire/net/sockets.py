"""The real Network: TLS sockets on the running loop. Everything it makes verifies certificates and logs no secret."""

import random
import ssl
from collections.abc import Mapping

from deltawire.net import ws
from deltawire.net.api import NowNs, PoolSettings, WsHandler
from deltawire.net.dns import AddressCache
from deltawire.net.pool import SocketHttpPool
from deltawire.net.rest import RestClient
from deltawire.net.ws import PicowsConnection, WsSettings


class SocketNetwork:
    """Implements net.api.Network. rng: for the jitter of reconnects."""

    def __init__(
        self,
        *,
        now_ns: NowNs,
        ssl_context: ssl.SSLContext,
        rng: random.Random,
        ws_settings: WsSettings | None = None,
    ) -> None:
        self._now_ns, self._ssl_context, self._rng = now_ns, ssl_context, rng
        self._ws_settings = ws_settings or WsSettings()
        self._addresses = AddressCache(now_ns)

    async def connect_ws(
        self, url: str, handler: WsHandler, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
    ) -> PicowsConnection:
        return await ws.connect(
            url,
            handler,
            headers=headers or {},
            timeout_s=timeout_s,
            ssl_context=self._ssl_context,
            now_ns=self._now_ns,
            settings=self._ws_settings,
        )

    def http_pool(self, origin: str, settings: PoolSettings, warm_target: str, warm_headers: bytes) -> SocketHttpPool:
        return SocketHttpPool(
            origin,
            settings,
            warm_target,
            warm_headers,
            now_ns=self._now_ns,
            ssl_context=self._ssl_context,
            rng=self._rng,
            addresses=self._addresses,
        )

    def rest(self, origin: str) -> RestClient:
        """Make a client for calls that are not orders; the caller closes it."""
        return RestClient(origin, ssl_context=self._ssl_context, now_ns=self._now_ns)
