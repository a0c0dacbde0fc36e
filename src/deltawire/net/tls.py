"""TLS contexts. Verification is always on: there is deliberately no way to ask for less.

A private CA (the simulators', a test's) is trusted by naming its file, and then nothing else is trusted.
"""

import ssl
from pathlib import Path

# One protocol list for WebSockets and HTTPS: both are HTTP/1.1 here, and an edge that would pick HTTP/2 must not.
_ALPN = ["http/1.1"]


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a verifying client context: trusts the system's CAs, or only the CAs in ca_file (PEM) when given.

    Raises FileNotFoundError or ValueError naming the file when it cannot be used.
    """
    if ca_file is not None and not Path(ca_file).is_file():
        raise FileNotFoundError(f"CA file {ca_file} does not exist")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as e:
        raise ValueError(f"CA file {ca_file} holds no readable PEM certificate: {e}") from e
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_ALPN)
    return context


def server_context(certificate_file: str, key_file: str | None = None) -> ssl.SSLContext:
    """Return a server context for the simulators; key_file None: the key is in certificate_file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate_file, key_file)
    context.set_alpn_protocols(_ALPN)
    return context
