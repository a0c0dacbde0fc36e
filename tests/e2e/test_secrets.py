"""A whole session at debug level, with faults, and then a search of everything it wrote for anything secret (I9)."""

import json
import re
from pathlib import Path

import pytest
from tests.e2e.rig import Rig, wait_until

from deltawire.journal.records import OrderIntended

pytestmark = pytest.mark.e2e

# Shapes of what must not be written: tokens, a STARK signature's decimal halves, an Ethereum signature, a listen key.
SHAPES = {
    "token": re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\."),
    "stark signature": re.compile(rb"[0-9]{70,}"),
    "ethereum signature": re.compile(rb"0x[0-9a-fA-F]{130}"),
    "bearer": re.compile(rb"(?i)bearer "),
    "listen key": re.compile(rb"(?i)listen_?key[=\"': ]+[0-9a-f]{32}"),
}


def test_nothing_secret_is_written_anywhere(tmp_path: Path):
    with Rig(tmp_path) as rig:
        rig.config.write_text(rig.config.read_text().replace("level: info", "level: debug"))
        rig.start_bot()
        shown = json.dumps(rig.status()).encode()
        rig.fault("paradex", "drop_after")
        rig.fault("vest", "lose_reply")
        rig.spread(40)
        wait_until(lambda: rig.of(OrderIntended), "an entry")
        wait_until(lambda: rig.pair_state() in ("holding", "watching"), f"settled\n{rig.bot_log()}")
        rig.control("/disconnect", {"venue": "paradex", "link": "market data"})
        rig.spread(0)
        wait_until(lambda: rig.pair_state() == "watching", f"flat\n{rig.bot_log()}")
        shown += json.dumps(rig.status()).encode()
        assert rig.end_bot() == 0
        account = rig.ready.accounts[0]
        keys = [account.paradex.private_key, account.vest.primary_private_key]
        texts = [key.removeprefix("0x").lstrip("0").lower().encode() for key in keys]
        texts += [str(int(key, 16)).encode() for key in keys]
        written = {"status": shown}
        for path in rig.folder.rglob("*"):
            if path.is_file() and path.name not in (".env", "ready.json", "sim.log"):
                written[str(path.relative_to(rig.folder))] = path.read_bytes()
        assert any(name.endswith(".jsonl") for name in written)
        assert any("journal" in name for name in written)
        for name, content in written.items():
            for text in texts:
                assert text not in content.lower(), f"a private key is in {name}"
            for what, shape in SHAPES.items():
                found = shape.search(content)
                assert found is None, f"a {what} is in {name}: {content[max(found.start() - 60, 0) : found.start()]!r}…"
