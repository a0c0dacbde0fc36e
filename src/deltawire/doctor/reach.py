"""Checks of the way to one venue: name, TLS, round trip, clock. Opens connections of its own; needs no account."""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from deltawire.doctor.lines import Sheet
from deltawire.net.rest import RestClient
from deltawire.net.tls import client_context
from deltawire.venues.contract import Clock

Resolve = Callable[[str, int], Awaitable[list[str]]]

CONNECT_S = 5.0
PINGS = 7
RTT_WARN_MS = 250  # two of them, for both legs, and the edge seen is mostly gone
RTT_SPREAD_WARN = 5  # the slowest of the pings over the median: a line that stalls
CERTIFICATE_WARN_DAYS = 7
CLOCK_WARN_MS = 250
DATE_RESOLUTION_MS = 1_000  # of an HTTP Date header


@dataclass(frozen=True, slots=True)
class Place:
    """One venue's addresses. recv_window_ms: how far the clocks may be apart before orders die on arrival."""

    venue: str
    rest_url: str
    ws_url: str
    ca_file: Path | None
    recv_window_ms: int


async def system_resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def check_reach(place: Place, sheet: Sheet, resolve: Resolve) -> bool:
    """Look at names and TLS of both hosts. False when one cannot be reached: then nothing else can be asked."""
    good = True
    for kind, url in (("rest", place.rest_url), ("ws", place.ws_url)):
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        key = f"venues.{place.venue}.{kind}_url"
        sheet.wait(f"{place.venue}: connecting to {host}")
        try:
            async with asyncio.timeout(CONNECT_S):
                addresses = await resolve(host, port)
        except (OSError, TimeoutError, UnicodeError) as e:
            why = str(e) or f"no answer in {CONNECT_S:g} s"
            sheet.fail(
                place.venue, "dns", f"{kind} host {host}: {why}", f"look at the name in {key} and at this machine's DNS"
            )
            good = False
            continue
        sheet.ok(place.venue, "dns", f"{kind} host {host}: {', '.join(addresses)}")
        good = await _check_tls(place, sheet, host, port, key) and good
    return good


async def _check_tls(place: Place, sheet: Sheet, host: str, port: int, key: str) -> bool:
    began_s = time.perf_counter()
    try:
        context = client_context(None if place.ca_file is None else str(place.ca_file))
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError as e:
        remedy = f"set venues.{place.venue}.ca_file to the right authority, or drop it for the system's"
        sheet.fail(place.venue, "tls", f"{host}: {e.verify_message}", remedy)
        return False
    except (OSError, TimeoutError, ValueError) as e:
        why = str(e) or f"no answer in {CONNECT_S:g} s"
        remedy = f"look at {key}, at the firewall, and at the venue's status page"
        sheet.fail(place.venue, "tls", f"{host}:{port}: {why}", remedy)
        return False
    took_ms = (time.perf_counter() - began_s) * 1e3
    connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate = connection.getpeercert() or {}
    version = connection.version()
    writer.transport.abort()
    told = f"{host}:{port}, {version}, opened in {took_ms:.0f} ms"
    left = _days_left(certificate)
    if left is not None and left < CERTIFICATE_WARN_DAYS and place.ca_file is None:
        remedy = "the venue should renew it; until then orders may fail"
        sheet.warn(place.venue, "tls", f"{told}, its certificate ends in {left} days", remedy)
    else:
        sheet.ok(place.venue, "tls", told)
    return True


def _days_left(certificate: object) -> int | None:
    ends = certificate.get("notAfter") if isinstance(certificate, dict) else None
    if not isinstance(ends, str):
        return None
    return (datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) - datetime.now(UTC)).days


async def check_round_trip(
    place: Place, sheet: Sheet, ping: Callable[[], Awaitable[None]], now_s: Callable[[], float] = time.perf_counter
) -> None:
    """Time small public calls on a kept-alive connection. Raises what ping raises."""
    sheet.wait(f"{place.venue}: timing round trips")
    await ping()  # opens the connection
    took_ms: list[float] = []
    for _ in range(PINGS):
        began_s = now_s()
        await ping()
        took_ms.append((now_s() - began_s) * 1e3)
    median_ms, slowest_ms = sorted(took_ms)[len(took_ms) // 2], max(took_ms)
    told = f"median {median_ms:.1f} ms, slowest {slowest_ms:.1f} ms of {PINGS}"
    if median_ms > RTT_WARN_MS:
        sheet.warn(place.venue, "round_trip", told, "run the bot nearer to the venue; slow orders find prices gone")
    elif slowest_ms > max(RTT_SPREAD_WARN * median_ms, RTT_WARN_MS):
        sheet.warn(place.venue, "round_trip", told, "the line stalls now and then: look at Wi-Fi, VPN, a busy machine")
    else:
        sheet.ok(place.venue, "round_trip", told)


def tell_clock(place: Place, sheet: Sheet, offset_ms: int, within_ms: int) -> None:
    """Judge a clock offset (ours less the venue's) that is known to within_ms."""
    told = f"this machine's clock is {abs(offset_ms)} ms {'ahead of' if offset_ms > 0 else 'behind'} the venue's"
    told = "agrees with the venue's" if abs(offset_ms) <= within_ms else told
    remedy = "let chrony or systemd-timesyncd set the clock: timedatectl set-ntp true"
    if abs(offset_ms) - within_ms > place.recv_window_ms:
        sheet.fail(place.venue, "clock", f"{told}; orders would die on arrival", remedy)
    elif abs(offset_ms) - within_ms > CLOCK_WARN_MS:
        sheet.warn(place.venue, "clock", told, remedy)
    else:
        sheet.ok(place.venue, "clock", f"{told} (to within {within_ms} ms)")


async def date_offset_ms(place: Place, clock: Clock) -> int | None:
    """Return our clock less the venue's by the Date of an HTTP answer, any answer; None where it sends none."""
    parts = urlsplit(place.rest_url)
    context = client_context(None if place.ca_file is None else str(place.ca_file))
    client = RestClient(f"{parts.scheme}://{parts.netloc}", ssl_context=context, now_ns=clock.mono_ns)
    try:
        before_ns = clock.unix_ns()
        response = await client.request("GET", parts.path or "/", timeout_s=CONNECT_S)
        after_ns = clock.unix_ns()
    finally:
        await client.close()
    try:
        venue_ns = int(parsedate_to_datetime(response.headers.get("date", "")).timestamp() * 1e9)
    except ValueError:
        return None
    # The header names a whole second, in which the answer was written: its middle is the best guess.
    return ((before_ns + after_ns) // 2 - venue_ns) // 10**6 - DATE_RESOLUTION_MS // 2
