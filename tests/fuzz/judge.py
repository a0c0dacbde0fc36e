"""What every target of the fuzzer judges by: agreement with the slow readings, and quiet stand-ins for the world."""

from collections.abc import Callable
from typing import Any

from tests.fuzz import oracle
from tests.fuzz.shadow import ParadexShadow, VestShadow

from deltawire.core.book import Book
from deltawire.venues.contract import DecodeError

REFUSED = "refused"
LIVE = 0.25  # share of frames that are sound and fit the book as it stands, so that there is a book to spoil


class Wrong(AssertionError):
    """A frame was read as something it does not say."""


def agree(what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise Wrong(f"{what}: {ours!r:.300}, the slow reading is {theirs!r:.300}")


def slowly(read: Callable[..., Any], *args: Any) -> Any:
    """Return the slow reading of a frame the codec took. A frame without meaning should have been refused."""
    try:
        return read(*args)
    except (oracle.Unreadable, KeyError, IndexError, TypeError, ValueError) as e:
        raise Wrong(f"taken, though by the slow reading it says nothing: {type(e).__name__} {e}") from e


class Quiet:
    """An EventLog, a Clock that stands still, and a VenueSink in one."""

    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...
    def mono_ns(self) -> int:
        return 0

    def unix_ns(self) -> int:
        return 0

    def on_book(self, book: Book, received_mono_ns: int) -> None: ...
    def on_order(self, client_id: Any, event: Any) -> None: ...
    def on_link(self, venue: str, link: str, *, up: bool, detail: str) -> None: ...


def attempt(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except DecodeError:
        return None


def same_book(book: Book, shadow: ParadexShadow | VestShadow) -> None:
    agree(f"valid {book.symbol} ({book.why_invalid})", book.valid, shadow.valid)
    if shadow.valid:
        agree(f"bids of {book.symbol}", book.bids, shadow.sorted_bids())
        agree(f"asks of {book.symbol}", book.asks, shadow.sorted_asks())
