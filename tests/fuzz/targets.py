"""The targets by name. Each makes damaged frames, hands them to a codec, and judges what comes out.

Allowed: the codec's own typed errors, and readings that agree with the slow one in `oracle`. Anything else is a
finding: another exception escapes to the runner, a disagreement is Wrong. The market data codecs feed live books too,
and those books must be what an independent book-keeper (`shadow`) has.
"""

import random
from collections.abc import Callable
from typing import Any

from tests.fuzz.targets_paradex import ParadexPublic, ParadexRest, ParadexRpc, ParadexSbe
from tests.fuzz.targets_vest import VestRest, VestWs

TARGETS: dict[str, Callable[[random.Random], Any]] = {
    "paradex-sbe": ParadexSbe,
    "paradex-public": ParadexPublic,
    "paradex-rpc": ParadexRpc,
    "paradex-rest": ParadexRest,
    "vest-ws": VestWs,
    "vest-rest": VestRest,
}
