"""Processes under measurement: started, ended, and what they use, from /proc (Linux): memory is what is resident."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltawire.bench.reaction_run import line
from deltawire.bench.subject import READY

READY_S, END_S = 60.0, 60.0


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_s: float  # of all threads, user and system
    memory_bytes: int
    memory_max_bytes: int

    def since(self, before: "Usage") -> "Usage":
        """Return the CPU time used since then, and the memory of now."""
        return Usage(self.cpu_s - before.cpu_s, self.memory_bytes, self.memory_max_bytes)


def usage(pid: int) -> Usage:
    """Read one process. Raises FileNotFoundError when it is gone."""
    folder = Path("/proc") / str(pid)
    # The name, second, may hold spaces; what follows its bracket begins with the third field.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    kilobytes = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in (folder / "status").read_text().splitlines())
        if name in ("VmRSS", "VmHWM")
    }
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), kilobytes["VmRSS"] * 1024, kilobytes["VmHWM"] * 1024)


class SubjectProcess:
    """A client of the benchmarks that has said it is ready (see `subject`)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def end(self) -> dict[str, Any]:
        """Tell it to end, and return its last word."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        said: dict[str, Any] = json.loads(await line(self._process, END_S))
        return said


@contextlib.asynccontextmanager
async def subject(module: str, job: dict[str, Any], cpu: int | None = None) -> AsyncIterator[SubjectProcess]:
    """Run deltawire.bench.<module> with this job, on one CPU if named; yields once it is ready.

    Raises RuntimeError with its last words when it fails.
    """
    words = Path(job["folder"]) / "stderr.txt"
    with words.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"deltawire.bench.{module}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(job | {"cpu": cpu}).encode() + b"\n")
            await line(process, READY_S, READY)
            yield SubjectProcess(process)
        except (TimeoutError, OSError, EOFError) as e:
            said = words.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{module} failed ({type(e).__name__}: {e}); its last words: {said}") from e
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
