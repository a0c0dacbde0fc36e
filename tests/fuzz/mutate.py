"""Seeded damage to frames: bit flips, cuts, splices, lying lengths, huge numbers, deep nesting, odd text.

One Random makes everything, so a seed and a count name every frame of a run for ever.
"""

import random
import re
import struct
from collections.abc import Callable

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[{}\[\],:]')
_INT64 = (0, 1, -1, 2**63 - 1, -(2**63), -(2**63) + 1, 2**31, 10**8, -(10**8), 2**53)
_UINT16 = (0, 1, 2, 15, 16, 17, 47, 48, 49, 89, 255, 256, 0x7FFF, 0xFFFF)

# What a venue would never send, as JSON tokens.
_ODD_NUMBERS = rb"""
null true false 0 -0 -1 1 0.1 1e5 1E-9 1e400 -1e400 1e-400 NaN Infinity 01 +1 .5 5. 0x10 123456789012345678901234567890
9223372036854775808 -9223372036854775809 18446744073709551616
""".split()
_ODD_TEXTS = rb"""
"" "0" "-0" "-1" "1_0" "1e5" "NaN" "Infinity" "0.000000001" "0.100000000" "1.23456789012345678901" "999999999999999999"
"9999999999999999999" "1,000" "\u0031" "\ud800" "\u0000" "\x" "HALT" "FILLED" "CLOSED" "@depth" "tickers" 'a'
""".split()
_ODD_SHAPES = rb"""
[] {} [[]] [["1","2"]] [["1"]] [["1","2","3"]] [[1,2]] {"":{}} {"code":1} , : } ] { [ /*x*/
""".split()
_ODD_WORDS = ("\uff11\uff12", "\u0663", "\u22121", " 1", "1 ", "\U0001f4a5", "a" * 5_000, "9" * 400)
_ODD_BYTES = (
    *(f'"{text}"'.encode() for text in _ODD_WORDS),
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b"1" * 400,
    b"0." + b"1" * 400,
)
# Parsers give up at depths near 1000; deeper than 5000 the length alone would do it.
_ODD_DEPTHS = (
    *(b"[" * depth + b"]" * depth for depth in (20, 200, 1_100)),
    b'{"a":' * 1_100 + b"1" + b"}" * 1_100,
    b"[" * 5_000,
)
_ODD_TOKENS = (*_ODD_NUMBERS, *_ODD_TEXTS, *_ODD_SHAPES, *_ODD_BYTES, *_ODD_DEPTHS)


class Mutator:
    def __init__(self, rng: random.Random, corpus: list[bytes], *, is_json: bool) -> None:
        self._rng = rng
        self._corpus = corpus
        self._tokens = [[m.span() for m in _TOKEN.finditer(frame)] for frame in corpus] if is_json else []
        self._with_tokens = [at for at, spans in enumerate(self._tokens) if spans]
        self._steps: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._set,
            self._cut,
            self._grow,
            self._splice,
            self._repeat,
            self._drop,
        )
        if is_json:
            self._steps = (*self._steps, self._in_quotes)

    def frame(self, base: bytes | None = None) -> bytes:
        """Return one damaged frame, made of `base` or of a frame of the corpus."""
        rng = self._rng
        if base is None:
            at = rng.randrange(len(self._corpus))
            base = self._corpus[at]
            if self._tokens and self._tokens[at] and rng.random() < 0.8:
                base = self._with_odd_token(base, self._tokens[at])
                if rng.random() < 0.7:
                    return base
        frame = bytearray(base)
        while frame:
            if not self._tokens and rng.random() < 0.6:
                self._lie(frame)
            else:
                rng.choice(self._steps)(frame)
            if rng.random() < 0.6:
                break
        return bytes(frame)

    def _with_odd_token(self, frame: bytes, spans: list[tuple[int, int]]) -> bytes:
        rng = self._rng
        start, end = rng.choice(spans)
        if rng.random() < 0.15:  # a token of another frame in its place
            other = rng.choice(self._with_tokens)
            a, b = rng.choice(self._tokens[other])
            return frame[:start] + self._corpus[other][a:b] + frame[end:]
        return frame[:start] + rng.choice(_ODD_TOKENS) + frame[end:]

    def _flip(self, frame: bytearray) -> None:
        frame[self._rng.randrange(len(frame))] ^= 1 << self._rng.randrange(8)

    def _set(self, frame: bytearray) -> None:
        frame[self._rng.randrange(len(frame))] = self._rng.choice((0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, 0x22, 0x2D, 0x30))

    def _cut(self, frame: bytearray) -> None:
        del frame[self._rng.randrange(len(frame)) :]

    def _grow(self, frame: bytearray) -> None:
        at = self._rng.randrange(len(frame) + 1)
        frame[at:at] = self._rng.randbytes(self._rng.choice((1, 1, 2, 8, 16, 300)))

    def _splice(self, frame: bytearray) -> None:
        other = self._rng.choice(self._corpus)
        at = self._rng.randrange(len(frame))
        frame[at:] = other[min(at, len(other)) if self._rng.random() < 0.5 else self._rng.randrange(len(other)) :]

    def _repeat(self, frame: bytearray) -> None:
        a, b = self._span(frame)
        frame[a:a] = frame[a:b]

    def _drop(self, frame: bytearray) -> None:
        a, b = self._span(frame)
        del frame[a:b]

    def _lie(self, frame: bytearray) -> None:
        """Overwrite a number: a length of header or group, or any eight bytes, which often are a price or a size."""
        rng = self._rng
        where = rng.random()
        if where < 0.25:
            self._put(frame, "<H", rng.choice((0, 2, 4, 6)), rng.choice(_UINT16))
        elif where < 0.5:
            behind_block = 8 + int.from_bytes(frame[0:2], "little")
            self._put(frame, "<H", behind_block + rng.choice((0, 2)), rng.choice(_UINT16))
        else:
            self._put(
                frame,
                "<q",
                rng.choice((8, 16, 24, 25, 28, 32, 40, 44, 48, 52, rng.randrange(len(frame)))),
                rng.choice(_INT64),
            )

    def _put(self, frame: bytearray, code: str, at: int, value: int) -> None:
        if at + struct.calcsize(code) <= len(frame):
            struct.pack_into(code, frame, at, value)

    def _in_quotes(self, frame: bytearray) -> None:
        """Put or take a digit, a sign or a point somewhere: most often a number stays one, another one."""
        at = self._rng.randrange(len(frame))
        frame[at:at] = self._rng.choice((b"0", b"9", b"-", b".", b'"', b",", b"e", b"\\"))

    def _span(self, frame: bytearray) -> tuple[int, int]:
        a = self._rng.randrange(len(frame))
        return a, min(len(frame), a + self._rng.choice((1, 2, 4, 8, 16, 64)))
