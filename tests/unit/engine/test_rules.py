"""How settings and the venues' rules are joined."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.builders import PARADEX, VEST

from deltawire.cli.template import Values, config_text
from deltawire.config import load_config
from deltawire.core.money import E8
from deltawire.engine.rules import UnusableRules, pair_rules


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"position_max_e8": E8 // 1_000}, "over the largest position paradex takes in BTC-USD-PERP, 0.001"),
        ({"size_max_e8": E8 // 1_000}, "over the largest order paradex takes in BTC-USD-PERP, 0.001"),
    ],
)
def test_a_size_the_venue_does_not_take_is_refused_before_trading(tmp_path: Path, change: dict[str, Any], words: str):
    path = tmp_path / "config.yaml"
    path.write_text(config_text(Values(size="0.01")))
    config = load_config(path)
    pair = config.pairs[0]
    assert pair_rules(pair, config, (replace(PARADEX, position_max_e8=E8 // 100), VEST)).size_e8 == E8 // 100
    with pytest.raises(UnusableRules, match=words):
        pair_rules(pair, config, (replace(PARADEX, **change), VEST))
