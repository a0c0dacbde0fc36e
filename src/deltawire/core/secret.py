"""A text that must not be seen: keys, tokens, signatures. Its repr, str, format and pickle give nothing away (I9)."""

from typing import NoReturn


class Secret:
    """Holds one secret text; `reveal()` is the only way to it, so every use can be found by searching for it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    __hash__ = None  # type: ignore[assignment]  # equal secrets in a dict would leak by timing; nobody needs it

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")
