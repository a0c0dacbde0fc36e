"""TCP connections made here and handed to what speaks TLS on them, so that one that is given up can be ended at once.

Given a host, aiofastnet 1.2 makes the socket itself. When its caller gives up just as the TLS handshake is over, it
closes that socket under a transport that still says goodbye on it: the socket's number is free, the next connection
gets it, and a second later the end of the old transport takes the new connection off the loop. Given a socket, it
leaves the closing to the transport (aiofastnet 1.2, api_create_connection.py and api_utils.py, read 2026-11-22).
"""

import asyncio
import contextlib
import ipaddress
import socket
from typing import Any


async def connect_tcp(host: str, port: int) -> socket.socket:
    """Return a connected socket, to the first address of the host that answers. Raises OSError when none does."""
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, address in await _addresses(host, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(0)
            await loop.sock_connect(sock, address)
        except OSError as e:
            sock.close()
            failure = e
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure or OSError(f"{host} has no address")


async def _addresses(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    try:  # a number needs no name server, and so no other thread
        numeric = ipaddress.ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]
    return [(socket.AF_INET if numeric.version == 4 else socket.AF_INET6, (host, port))]


def hang_up(sock: socket.socket) -> None:
    """End the connection in the kernel; the transport that owns the socket reads the end, and closes it."""
    with contextlib.suppress(OSError):  # closed or lost already
        sock.shutdown(socket.SHUT_RDWR)
