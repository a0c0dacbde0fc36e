"""The second road of orders: REST over warm connections, for what must leave while the order socket is down.

Same signature, same fields, another transport. Cancel-on-disconnect does not cover these orders, so only immediate
ones go this way; and no private channel tells their end, so each is read afterwards.
Source: Paradex protocol reference, sections 11, 14 and 19.
"""

from collections.abc import Sequence

from deltawire.net.api import HttpDone, HttpPool, HttpWritten
from deltawire.venues.paradex import rest, wire_many
from deltawire.venues.paradex.http import HttpCaller
from deltawire.venues.paradex.tokens import TokenKeeper


class RestRoad:
    """Owns neither pool nor client; the session does."""

    def __init__(self, pool: HttpPool, http: HttpCaller, tokens: TokenKeeper, base: str) -> None:
        """base: the path of the REST URL, such as /v1."""
        self._pool, self._http, self._tokens = pool, http, tokens
        self._target = base + rest.ORDERS_PATH

    @property
    def ready(self) -> bool:
        """Whether an order could leave this way now: a warm connection is idle and the token is alive."""
        return self._pool.has_idle and self._tokens.at_hand() is not None

    def post(self, payload: bytes, on_done: HttpDone) -> HttpWritten | None:
        """Write an order made for the socket as POST /orders, now. None when it cannot leave: then nothing was sent."""
        token = self._tokens.at_hand()
        if token is None:
            return None
        headers = f"Authorization: Bearer {token.reveal()}\r\nContent-Type: application/json\r\n".encode()
        return self._pool.post_now(self._target, headers, rest.order_body(payload), on_done)

    async def mend_token(self) -> None:
        """Get a token in place of one that was refused, so that the next order does not fail for it as well."""
        self._tokens.distrust()
        await self._tokens.current()

    async def cancel(self, client_id: str, market: str = "") -> None:
        """Ask to cancel by client id. "Queued" is all a good answer says. Raises what HttpCaller.call raises."""
        await self._http.call(rest.cancel_by_client_id(await self._tokens.current(), client_id, market))

    async def cancel_batch(self, client_ids: Sequence[str]) -> list[wire_many.CancelOutcome]:
        """Ask to cancel several by client id. Raises what HttpCaller.call raises, and DecodeError."""
        request = wire_many.delete_batch(await self._tokens.current(), client_ids=client_ids)
        return wire_many.read_cancelled(await self._http.call(request))
