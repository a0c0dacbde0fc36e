"""The stamps of one order on its way from market frame to fill. Written by whoever sees the moment; read by observe.

All `*_mono_ns` are one monotonic clock of the bot; 0 means "did not happen (yet)". Venue stamps are UTC.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class OrderStamps:
    received_mono_ns: int = 0  # frame that triggered the order handed to us by the socket
    decoded_mono_ns: int = 0  # frame decoded and booked
    decided_mono_ns: int = 0  # the trade decided on this order
    prepared_mono_ns: int = 0  # signing began
    signed_mono_ns: int = 0
    encoded_mono_ns: int = 0
    written_mono_ns: int = 0  # the socket's write call returned
    reply_mono_ns: int = 0  # bytes of the venue's answer handed to us
    acked_mono_ns: int = 0  # answer parsed
    filled_mono_ns: int = 0  # last fill learned
    venue_received_unix_ns: int = 0
    venue_sent_unix_ns: int = 0
    presigned: bool = False  # signed and encoded before the trigger: then both took no time after it
    written_unix_ns: int = 0  # written_mono_ns by our UTC clock; filled in when the order is told
    venue_ahead_ns: int | None = None  # how far the venue's clock was ahead of ours, as far as known then
    transport: str = ""  # "ws" or "https"
    reused: bool = False  # the connection had carried a request before
    connection_age_ns: int = 0
    connection_requests: int = 0
