"""Vest calls over REST that need no account: the markets and their state. Never makes a private call.

Shapes are checked where they are read, so a changed venue is refused with the name of the field.
Source: Vest API v2 notes, sections 2 and 6.
"""

from typing import TypeVar
from urllib.parse import urlsplit

from deltawire.core.money import parse_e8
from deltawire.core.types import Instrument
from deltawire.core.venue_clock import VenueClock, http_date_unix_s
from deltawire.net.api import HttpClient
from deltawire.venues.contract import Clock, DecodeError, EventLog, Refused, SigningClock
from deltawire.venues.vest import formatting, rest, wire
from deltawire.venues.vest.rest import Access, RestRequest, VenueError
from deltawire.venues.vest.settings import VestSettings
from deltawire.venues.vest.shapes import FirstLook

T = TypeVar("T")

VENUE = "vest"
_MS_NS = 1_000_000


def split_rest_url(rest_url: str) -> tuple[str, str]:
    """Return (origin, path prefix) of a base URL such as https://host:1/v2."""
    parts = urlsplit(rest_url)
    if not parts.scheme or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"not a base URL: {rest_url!r}")
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


class PublicReads:
    """What everyone may read. Owns the REST client. Group 0 until a registration names another (Account)."""

    def __init__(self, settings: VestSettings, client: HttpClient, *, clock: Clock, log: EventLog) -> None:
        self._settings, self._client, self._clock, self._log = settings, client, clock, log
        self._prefix = split_rest_url(settings.rest_url)[1]
        self.time = VenueClock(settings.clock_offset_max_ms * _MS_NS)
        self._signing_clock = SigningClock(clock, self.time)
        self.access = Access()
        self.first_look = FirstLook(log)

    def now_ms(self) -> int:
        """Return the time to sign with and to ask with."""
        return self._signing_clock.unix_ns() // _MS_NS

    async def close(self) -> None:
        await self._client.close()

    async def instruments(self) -> dict[str, tuple[Instrument, wire.Market]]:
        """Read the markets asked for. Raises DecodeError naming the field, Refused when a market is not listed."""
        info = await self.call(rest.get_exchange_info(self.access), wire.ExchangeInfo)
        listed = {market.symbol: market for market in info.symbols}
        missing = [symbol for symbol in self._settings.symbols if symbol not in listed]
        if missing:
            raise Refused(VENUE, "exchangeInfo", f"does not list {', '.join(missing)}")
        return {symbol: (_instrument(listed[symbol]), listed[symbol]) for symbol in self._settings.symbols}

    async def tickers(self) -> list[wire.Ticker]:
        """Read the state of the markets traded."""
        request = rest.get_ticker_latest(self.access, self._settings.symbols)
        return (await self.call(request, wire.Tickers)).tickers

    async def call(self, request: RestRequest, shape: type[T]) -> T:
        status, body = await self.exchange(request)
        try:
            rest.raise_if_refused(status, body)
            self.first_look.look_at_answer(shape, body)
            return rest.read_answer(status, body, shape)
        except VenueError as e:
            self._log.warning("vest.rest.refused", call=repr(request), status=status, code=e.code, msg=e.msg)
            self._on_refused_call(request, e)
            raise

    async def exchange(self, request: RestRequest) -> tuple[int, bytes]:
        response = await self._client.request(
            request.method,
            self._prefix + request.target,
            request.headers,
            request.body or None,
            timeout_s=self._settings.rest_timeout_s,
        )
        shown_s = http_date_unix_s(response.headers)
        if shown_s is not None:  # the only time the venue tells; in whole seconds
            self.time.heard(shown_s * 10**9, 10**9, response.written_mono_ns, response.received_mono_ns)
        return response.status, response.body

    def _on_refused_call(self, request: RestRequest, error: VenueError) -> None:
        """Do what a refusal asks for; here nothing."""


def _instrument(market: wire.Market) -> Instrument:
    try:
        tick_e8, step_e8 = formatting.step_e8(market.price_decimals), formatting.step_e8(market.size_decimals)
        fee_e8 = parse_e8(market.taker_fee)
    except ValueError as e:
        raise DecodeError(f"exchangeInfo {market.symbol}: sizeDecimals, priceDecimals or takerFee: {e}") from e
    return Instrument(
        venue=VENUE,
        symbol=market.symbol,
        price_tick_e8=tick_e8,
        size_step_e8=step_e8,
        size_min_e8=step_e8,
        size_max_e8=0,
        notional_min_e8=0,
        fee_rate_taker_e8=fee_e8,
    )
