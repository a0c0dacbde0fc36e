"""Paged lists of the simulated Paradex: newest first, with signed cursors to the page before and after.

A cursor names the record a page begins behind, so records that come meanwhile neither repeat nor hide one. It is signed
and bound to the list and its filters, as the venue's are since July 2026: another list's, or an altered one is refused.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from deltawire.sim.paradex_rules import ApiRefusal

_SIGNATURE_BYTES = 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page; a cursor is None where nothing follows."""

    items: Sequence[T]
    next: str | None
    prev: str | None


class _Cursor(msgspec.Struct, array_like=True):
    is_next: bool
    id: str  # of the record next to the page
    of: str  # the list it was made for


class Pager:
    """Cuts lists into pages. The key that signs the cursors is drawn anew at each start."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._decoder = msgspec.json.Decoder(_Cursor)

    def page(self, of: str, newest_first: Sequence[T], id_of: Callable[[T], str], size: int, cursor: str) -> Page[T]:
        """Return the first page, or the one the cursor names. `of` names the list with its filters.

        Raises ApiRefusal for a cursor that was not made here for this list, or whose record is gone.
        """
        begin, end = self._range(of, newest_first, id_of, size, cursor)
        items = newest_first[begin:end]
        following, before = items and end < len(newest_first), items and begin > 0
        return Page(
            items,
            self._write(_Cursor(is_next=True, id=id_of(items[-1]), of=of)) if following else None,
            self._write(_Cursor(is_next=False, id=id_of(items[0]), of=of)) if before else None,
        )

    def _range(
        self, of: str, newest_first: Sequence[T], id_of: Callable[[T], str], size: int, cursor: str
    ) -> tuple[int, int]:
        if not cursor:
            return 0, min(size, len(newest_first))
        read = self._read(cursor)
        at = next((at for at, item in enumerate(newest_first) if id_of(item) == read.id), None)
        if read.of != of or at is None:
            raise _wrong()
        if read.is_next:
            return at + 1, min(at + 1 + size, len(newest_first))
        return max(0, at - size), at

    def _write(self, cursor: _Cursor) -> str:
        body = msgspec.json.encode(cursor)
        return base64.urlsafe_b64encode(self._sign(body) + body).decode()

    def _read(self, text: str) -> _Cursor:
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as e:
            raise _wrong() from e
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise _wrong()
        return self._decoder.decode(body)

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:_SIGNATURE_BYTES]


def _wrong() -> ApiRefusal:
    return ApiRefusal("INVALID_REQUEST_PARAMETER", "cursor is not one of this list")
