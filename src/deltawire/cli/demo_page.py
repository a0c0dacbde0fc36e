"""The demo's web page: the dashboard as one more child, on a free port. The demo goes on without it where it fails."""

from contextlib import ExitStack
from pathlib import Path

from deltawire.cli.children import Child


class DemoPage:
    """Starts at once; its address is known a moment later."""

    def __init__(self, folder: Path, config: Path, cleanup: ExitStack) -> None:
        self._url_file = folder / "dashboard.url"
        arguments = ["dashboard", "--config", str(config), "--port", "0", "--url-file", str(self._url_file)]
        self._child = Child("dashboard", arguments, folder / "dashboard.log")
        self._told = False
        cleanup.callback(self._child.end, 5.0)

    def news(self) -> str | None:
        """Return the address once, as soon as it is known, or once that there is none; None at every other call."""
        if self._told:
            return None
        if self._url_file.exists():
            self._told = True
            return self._url_file.read_text(encoding="utf-8").strip()
        if self._child.exit_code is not None:
            self._told = True
            return f"not there: it ended with code {self._child.exit_code}; see {self._child.log}"
        return None
