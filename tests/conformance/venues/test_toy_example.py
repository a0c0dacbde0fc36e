"""The example as an example: small, built from public parts only, quoted truly, and with a simulator that refuses."""

import ast
import re
from pathlib import Path

import pytest
from examples.toy_venue import wire
from tests.conformance.venues.suite import Make
from tests.conformance.venues.worlds import ToyWorld

from deltawire.core.events import Rejected
from deltawire.core.order import REJECTED
from deltawire.core.secret import Secret
from deltawire.venues.contract import DecodeError

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = sorted((ROOT / "examples/toy_venue").glob("*.py"))
GUIDE = (ROOT / "docs/adding-a-venue.md").read_text()
SNIPPETS = re.findall(r"^```python (\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)

# What a venue may be built from; the guide's table says the same.
PUBLIC = re.compile(
    r"deltawire\.(core(\.\w+)?|net\.(api|backoff)|venues(\.(contract|kit))?|sim\.(faults|market|text_server))"
)


def test_the_example_is_under_400_lines():
    assert sum(len(path.read_text().splitlines()) for path in EXAMPLE) < 400


@pytest.mark.parametrize("path", EXAMPLE, ids=lambda path: path.name)
def test_the_example_is_built_from_public_parts_only(path):
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    ours = {module for module in modules if module.startswith("deltawire")}
    assert {module for module in ours if PUBLIC.fullmatch(module) is None} == set()
    assert ours


def test_the_guide_quotes_each_part_of_the_example():
    assert {name for name, _ in SNIPPETS} >= {f"examples/toy_venue/{path.name}" for path in EXAMPLE}
    assert GUIDE.count("```python") == len(SNIPPETS), "every piece of python names the file it is from"


@pytest.mark.parametrize(("name", "code"), SNIPPETS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(SNIPPETS)])
def test_code_in_the_guide_stands_in_the_file_it_names(name, code):
    assert code in (ROOT / name).read_text()


def test_files_the_guide_names_are_there():
    named = set(re.findall(r"`((?:examples|tests|docs|src)/[\w/.-]+\.(?:py|md))`", GUIDE))
    named |= {
        f"src/deltawire/{path}" for path in re.findall(r"`((?:venues|config|engine|core|sim)/[\w/]+\.py)`", GUIDE)
    }
    assert {path for path in named if not (ROOT / path).is_file()} == set()
    assert len(named) > 8


def test_the_guide_names_every_fault_the_suite_arms():
    armed = set()
    for path in (ROOT / "tests/conformance/venues").glob("test_*.py"):
        armed |= set(re.findall(r'\.fault\("(\w+)"', path.read_text()))
    assert {kind for kind in armed if f"`{kind}`" not in GUIDE} == set()
    assert len(armed) > 8


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"3", b"[", b'["fill","c","f","1",2,3]', b'["done","c",null,""]', b"\xff"]
)
def test_a_frame_outside_the_format_raises_valueerror(payload):
    with pytest.raises(ValueError):
        wire.order_event(wire.read(payload))


def test_a_frame_changed_by_one_amount_is_not_signed():
    secret = Secret("s")
    message = wire.read(wire.signed(secret, "order", "c", 1, 2, "X", "BUY", 100, 200))
    assert wire.is_signed(secret, message)
    assert not wire.is_signed(secret, [*message[:6], 101, *message[7:]])
    assert not wire.is_signed(Secret("t"), message)
    with pytest.raises(DecodeError):
        wire.order_event(message)


TIME, SIZE = 2, 6  # where they stand in an order


@pytest.mark.parametrize("world", ["toy"], indirect=True)
@pytest.mark.parametrize(
    ("at", "change", "secret", "code"),
    [
        (SIZE, 1, "", "BAD_ORDER"),
        (TIME, -60_000, "", "TOO_LATE"),
        (SIZE, 0, "another secret", "BAD_MAC"),
    ],
)
async def test_the_simulator_refuses_what_the_venue_would(world: ToyWorld, make: Make, at, change, secret, code):
    rig = make()
    await rig.start()
    prepared = rig.prepare()
    fields = wire.read(prepared.payload)[:-1]
    fields[at] += change
    prepared.payload = wire.signed(Secret(secret) if secret else world.secret, *fields)
    rig.venue.submit(prepared)
    assert (await rig.ended(prepared)).state is REJECTED
    assert [event.code for event in rig.events(prepared) if isinstance(event, Rejected)] == [code]
    assert world.truth().position_e8 == 0


@pytest.mark.parametrize("world", ["toy"], indirect=True)
async def test_the_simulator_refuses_a_client_id_used_before(world: ToyWorld, make: Make):
    rig, again = make(), make()
    await rig.start()
    await again.start()
    again.prefix = rig.prefix
    await rig.ended(rig.submit())
    second = again.submit()
    assert (await again.ended(second)).why.startswith("DUPLICATE")
    assert world.truth().position_e8 == second.request.size_e8
