"""Says which files of an installed package are not what its wheel brought. For the scripts beside it."""

import base64
import hashlib
from importlib.metadata import distribution
from pathlib import Path


def modified_files(package: str, under: str) -> list[str]:
    """Compare each file's SHA-256 with the one the wheel recorded; also tell of a package without records."""
    checked, wrong = 0, []
    for file in distribution(package).files or ():
        if file.hash is not None and str(file).startswith(under):
            digest = hashlib.new(file.hash.mode, Path(file.locate()).read_bytes()).digest()
            checked += 1
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                wrong.append(str(file))
    return wrong if checked else [f"{package} has no records"]
