"""The control URL of the simulators: read their state, arm faults, hold the market. Plain HTTP, loopback only.

GET /state, /market and /reaction, POST /faults, /market, /clock, /trigger and /disconnect, DELETE /faults: see
docs/venues/sim.md. A body that
cannot be used changes nothing and is answered 400 with {"error": …} saying what would be right. No secret is served.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from aiohttp import web

from deltawire.core.money import format_e8, parse_e8
from deltawire.sim.clock import RealClock
from deltawire.sim.faults import VENUES, Fault, Faults
from deltawire.sim.market import Market, Quote
from deltawire.sim.player import Player
from deltawire.sim.scenario import plan_of, start_scenario
from deltawire.sim.trigger import Trigger

_MS_NS = 10**6
BODY_BYTES_MAX = 64 * 1024
_BPS_PARTS = 10_000  # a rate in 1e-8 counts ten-thousandths of a bps, and so does a bps figure in 1e-8 divided by this


class VenueState(Protocol):
    """What the control URL asks of a simulated venue."""

    def state(self) -> dict[str, Any]: ...
    def reaction(self, since_mono_ns: int) -> dict[str, Any]: ...


class BadRequest(ValueError):
    """The body cannot be used; the text says why."""


class ControlServer:
    """Serves the control URL on 127.0.0.1 until stopped."""

    def __init__(
        self,
        *,
        market: Market,
        player: Player,
        faults: Faults,
        venues: Mapping[str, VenueState],
        trigger: Trigger,
        clocks: Mapping[str, RealClock] = MappingProxyType({}),
    ) -> None:
        self._market = market
        self._player = player
        self._faults = faults
        self._venues = venues
        self._trigger = trigger
        self._clocks = clocks
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> int:
        """Bind and serve; returns the port."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_get("/state", self._answering(self._get_state))
        app.router.add_get("/market", self._answering(self._get_market))
        app.router.add_post("/faults", self._answering(self._post_faults))
        app.router.add_delete("/faults", self._answering(self._delete_faults))
        app.router.add_post("/market", self._answering(self._post_market))
        app.router.add_post("/clock", self._answering(self._post_clock))
        app.router.add_get("/reaction", self._answering(self._get_reaction))
        app.router.add_post("/trigger", self._answering(self._post_trigger))
        app.router.add_post("/disconnect", self._answering(self._post_disconnect))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _answering(
        self, answer: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Wrap a plain function of the body into a handler, with its refusals as 400."""

        async def handle(request: web.Request) -> web.Response:
            try:
                body = _object(await request.text()) if request.method == "POST" else {}
                return web.json_response(answer(body))
            except ValueError as e:
                return web.json_response({"error": str(e)}, status=400)

        return handle

    def _get_state(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "market": self._player.state() | {"published": self._market.published},
            "faults": self._fault_state(),
            **{name: venue.state() for name, venue in self._venues.items()},
        }

    def _get_market(self, _: dict[str, Any]) -> dict[str, Any]:
        quotes = {
            venue: {base: _quote_json(self._market.last(venue, base)) for base in self._market.bases}
            for venue in VENUES
        }
        return self._player.state() | {"quotes": quotes}

    def _post_faults(self, body: dict[str, Any]) -> dict[str, Any]:
        known = {"venue", "kind", "count", "params", "at_ms", "at_order", "on_first"}
        _check_keys(body, known, needed={"venue", "kind"})
        params = _of_type(body, "params", dict, {})
        fault = Fault(
            _of_type(body, "venue", str), _of_type(body, "kind", str), _of_type(body, "count", int, 1), params
        )
        at_ms = _of_type(body, "at_ms", int) if "at_ms" in body else None
        planned = plan_of(
            fault,
            at_ns=None if at_ms is None else at_ms * _MS_NS,
            at_order=_of_type(body, "at_order", int) if "at_order" in body else None,
            on_first=_of_type(body, "on_first", str) if "on_first" in body else None,
        )
        start_scenario([planned], self._faults, asyncio.get_running_loop().call_later)
        return self._fault_state()

    def _delete_faults(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"cleared": self._faults.clear()}

    def _post_market(self, body: dict[str, Any]) -> dict[str, Any]:
        _check_keys(body, {"basis_bps", "paused"})
        paused = _of_type(body, "paused", bool) if "paused" in body else None
        if "basis_bps" in body:
            self._player.pin(_rate_e8(body["basis_bps"]))
        if paused is True:
            self._player.pause()
        elif paused is False:
            self._player.play()
        return self._player.state()

    def _post_clock(self, body: dict[str, Any]) -> dict[str, Any]:
        """Set a venue's date so many milliseconds ahead of this machine's: to a bot, its own clock is behind."""
        _check_keys(body, {"venue", "ahead_ms"}, needed={"venue", "ahead_ms"})
        venue, ahead_ms = _of_type(body, "venue", str), _of_type(body, "ahead_ms", int)
        if venue not in self._clocks:
            raise BadRequest(f"'venue' must be one of {', '.join(self._clocks)}")
        self._clocks[venue].unix_skew_ns = ahead_ms * _MS_NS
        return {name: {"ahead_ms": clock.unix_skew_ns // _MS_NS} for name, clock in self._clocks.items()}

    def _post_trigger(self, body: dict[str, Any]) -> dict[str, Any]:
        """Move Paradex's price of a base in a while: a step whose frames a client is timed by."""
        _check_keys(body, {"base", "bps", "after_ms", "quiet_ms", "burst"}, needed={"base", "bps"})
        base, rate_e8 = _of_type(body, "base", str), _rate_e8(body["bps"])
        if base not in self._market.bases or rate_e8 is None:
            raise BadRequest(f"'base' must be one of {', '.join(self._market.bases)}, and 'bps' a number")
        times = {name: _of_type(body, name, int, 0) for name in ("after_ms", "quiet_ms", "burst")}
        self._trigger.arm(base, rate_e8, **times)
        return {"armed": True}

    def _get_reaction(self, _: dict[str, Any]) -> dict[str, Any]:
        since_mono_ns = self._trigger.began_mono_ns
        if self._trigger.is_pending:
            return {"pending": True}
        return {
            "pending": False,
            "triggers": [{"base": at.base, "mono_ns": at.mono_ns} for at in self._trigger.take()],
            **{name: venue.reaction(since_mono_ns) for name, venue in self._venues.items()},
        }

    def _post_disconnect(self, body: dict[str, Any]) -> dict[str, Any]:
        """Close the venue's connections of one link, now: a drop_stream fault under a plainer name."""
        _check_keys(body, {"venue", "link"}, needed={"venue", "link"})
        venue, link = _of_type(body, "venue", str), _of_type(body, "link", str)
        self._faults.add(Fault(venue, "drop_stream", params={"link": link}))
        return self._fault_state()

    def _fault_state(self) -> dict[str, Any]:
        return {
            "armed": self._faults.armed(),
            "planned": self._faults.planned(),
            "taken": _nested(self._faults.taken),
        }


def _object(text: str) -> dict[str, Any]:
    try:
        # Decimals stay the text that was sent: no figure goes through binary float.
        body = json.loads(text, parse_float=str)
    except json.JSONDecodeError as e:
        raise BadRequest(f"the body is not JSON: {e}") from e
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _check_keys(body: dict[str, Any], known: set[str], needed: set[str] | None = None) -> None:
    unknown = sorted(body.keys() - known)
    if unknown:
        raise BadRequest(f"unknown key {unknown[0]!r}; known here: {', '.join(sorted(known))}")
    missing = sorted((needed or set()) - body.keys())
    if missing:
        raise BadRequest(f"key {missing[0]!r} is missing")


def _of_type(body: dict[str, Any], key: str, wanted: type, default: Any = None) -> Any:
    value = body.get(key, default)
    if type(value) is not wanted:  # not isinstance: true is no count
        raise BadRequest(f"{key!r} must be of type {wanted.__name__}, not {value!r}")
    return value


def _rate_e8(basis_bps: Any) -> int | None:
    """Read a basis in bps (a number, exact to 0.0001) as a rate; null releases it."""
    if basis_bps is None:
        return None
    if isinstance(basis_bps, bool) or not isinstance(basis_bps, int | str):
        raise BadRequest(f"'basis_bps' must be a number or null, not {basis_bps!r}")
    rate_e8, rest = divmod(parse_e8(str(basis_bps)), _BPS_PARTS)
    if rest:
        raise BadRequest(f"'basis_bps' has more than 4 decimal places: {basis_bps}")
    return rate_e8


def _quote_json(quote: Quote | None) -> dict[str, str] | None:
    if quote is None:
        return None
    return {
        "bid_price": format_e8(quote.bid_price_e8),
        "bid_size": format_e8(quote.bid_size_e8),
        "ask_price": format_e8(quote.ask_price_e8),
        "ask_size": format_e8(quote.ask_size_e8),
    }


def _nested(taken: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return venue -> kind -> times it struck."""
    return {venue: {kind: n for (at, kind), n in sorted(taken.items()) if at == venue} for venue in VENUES}
