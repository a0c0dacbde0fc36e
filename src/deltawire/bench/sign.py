"""What one order's signature costs, with the product's own signers. Keys are made up; every signature is verified.

`floor`: the bare signature of a hash made before, by the same libraries. Where their environment is there, the official
SDK paradex-py and ccxt sign as many Paradex orders in processes of their own, right after; that their signatures are
good is proved by the tests in tests/conformance/official. The bot signs ahead of the trigger: see reaction.

Left out: encoding of the message around it, and journalling.
"""

import random
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deltawire.bench import others, rig
from deltawire.bench.figures import Report, figures, machine
from deltawire.core.secret import Secret
from deltawire.core.types import Side
from deltawire.net.loop import run
from deltawire.venues.paradex import signing as paradex
from deltawire.venues.vest import signing as vest

_CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
_MARKET = "ETH-USD-PERP"
_START_MS = 1_763_800_000_000
_WARM_UP = 20
_MESSAGES = 64
_ROUNDS_MAX = {"paradex-py": 100, "ccxt": 40}  # they take milliseconds, and tens of them


@dataclass(frozen=True, slots=True)
class _Case:
    prepare: Callable[[int], int]  # untimed: what the engine has ready before the order
    sign: Callable[[int, int], str]  # timed: order number, what was prepared
    is_right: Callable[[int, str], bool]  # untimed, at the end


def bench_sign(rounds: int = 300, seed: int = 1, *, with_others: bool = True) -> Report:
    """Sign `rounds` different orders per case, the cases in a new order each round."""
    cases = _cases()
    samples: dict[str, list[int]] = {name: [] for name in cases}
    signatures: dict[str, list[str]] = {name: [] for name in cases}
    rng = random.Random(seed)  # noqa: S311  the order of cases, not a key
    names = list(cases)
    for i in range(_WARM_UP + rounds):
        rng.shuffle(names)
        for name in names:
            case = cases[name]
            prepared = case.prepare(i)
            before_ns = time.perf_counter_ns()
            signature = case.sign(i, prepared)
            took_ns = time.perf_counter_ns() - before_ns
            signatures[name].append(signature)
            if i >= _WARM_UP:
                samples[name].append(took_ns)
    for name, case in cases.items():
        wrong = sum(not case.is_right(i, signature) for i, signature in enumerate(signatures[name]))
        if wrong:
            raise AssertionError(f"{name}: {wrong} signatures do not verify")
    versions: dict[str, str] = {}
    missing = ["paradex-py and ccxt: left out by setting"]
    if with_others:
        versions, missing = run(_others(samples, rounds))
    results = {name: figures(taken, "us") for name, taken in samples.items()}
    ratios = {
        "deltawire/floor Paradex": results["paradex_order"].p50 / results["floor_paradex"].p50,
        "deltawire/floor Vest": results["vest_order"].p50 / results["floor_vest"].p50,
        **{
            f"deltawire/{package} Paradex": results["paradex_order"].p50 / results[f"{package} paradex_order"].p50
            for package in versions
        },
        "paradex_order/paradex_order_chain_ready": results["paradex_order"].p50
        / results["paradex_order_chain_ready"].p50,
        "paradex_order/vest_order": results["paradex_order"].p50 / results["vest_order"].p50,
    }
    settings = {"rounds": rounds, "warm_up": _WARM_UP, "seed": seed, "nonces": "RFC 6979", **versions, **machine()}
    return Report("sign", settings, results, ratios, missing)


async def _others(samples: dict[str, list[int]], rounds: int) -> tuple[dict[str, str], list[str]]:
    """Add what clients we did not write take; return their versions, and why some of them are not there."""
    versions, missing = {}, []
    with tempfile.TemporaryDirectory(prefix="deltawire-bench-") as name:
        # They read the chain's name from a venue before they sign.
        async with rig.simulators(Path(name), "seed: 1\n", apart=False) as ready:
            for package in others.PACKAGES:
                orders = min(rounds, _ROUNDS_MAX[package])
                script = f"sign_{package.replace('-', '_')}.py"
                said = await others.said(package, script, ready, str(orders))
                if isinstance(said, str):
                    missing.append(said)
                else:
                    samples[f"{package} paradex_order"] = said["samples_ns"]
                    versions[package] = said["version"]
    return versions, missing


def _cases() -> dict[str, _Case]:
    signer = paradex.Signer(Secret(f"0x{secrets.randbits(250) + 1:x}"), f"0x{secrets.randbits(250) + 1:x}", _CHAIN)
    vest_signer = vest.Signer(vest.new_signing_key(secrets.token_bytes))

    def chain(i: int) -> int:
        return paradex.order_chain(_START_MS + i, _MARKET, Side.BUY, "LIMIT")

    def paradex_is_right(i: int, signature: str) -> bool:
        message = paradex.message_hash(_CHAIN, signer.account, paradex.order_struct_hash(chain(i), *_size_price(i)))
        return paradex.verify(signer.public_key, message, paradex.decode_signature(signature))

    def vest_order(i: int) -> bytes:
        return vest.encode_order(
            _START_MS + i, i, "MARKET", "ETH-PERP", "0.5000", f"{3000 + i}.10", is_buy=True, reduce_only=False
        )

    def vest_is_right(i: int, signature: str) -> bool:
        return vest.is_signed_by(vest_signer.address, vest.personal_digest(vest_order(i)), signature)

    key, digest = secrets.randbits(250) + 1, secrets.token_bytes(32)
    messages = [secrets.randbits(250) for _ in range(_MESSAGES)]
    public_key = paradex.public_key_of(key)
    return {
        "floor_paradex": _Case(
            lambda i: messages[i % _MESSAGES],
            lambda _i, message: paradex.encode_signature(paradex.sign(key, message)),
            lambda i, text: paradex.verify(public_key, messages[i % _MESSAGES], paradex.decode_signature(text)),
        ),
        "floor_vest": _Case(
            lambda _i: 0,
            lambda _i, _: vest_signer.sign_digest(digest),
            lambda _i, signature: vest.is_signed_by(vest_signer.address, digest, signature),
        ),
        "paradex_order": _Case(
            lambda _i: 0,
            lambda i, _: signer.sign_order(_START_MS + i, _MARKET, Side.BUY, "LIMIT", *_size_price(i)),
            paradex_is_right,
        ),
        "paradex_order_chain_ready": _Case(
            chain, lambda i, ready: signer.finish_order(ready, *_size_price(i)), paradex_is_right
        ),
        "vest_order": _Case(lambda _i: 0, lambda i, _: vest_signer.sign(vest_order(i)), vest_is_right),
    }


def _size_price(i: int) -> tuple[int, int]:
    return 50_000_000 + i * 10_000, 300_000_000_000 + i * 1_000_000
