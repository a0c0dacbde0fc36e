"""The real bot as a client of `bench reaction`: put together as `deltawire run` does, with journal, log and limits."""

from pathlib import Path
from typing import Any

from deltawire.bench import rig
from deltawire.bench.subject import Subject, serve
from deltawire.engine.assembly import assemble
from deltawire.engine.clock import SystemClock
from deltawire.observe.log import BufferedLog, Output, json_line


async def body(subject: Subject) -> dict[str, Any]:
    job = subject.job
    folder, ready = Path(job["folder"]), job["ready"]
    clock = SystemClock()
    with (folder / "bot.log").open("ab") as file, BufferedLog(clock, [Output(file, json_line)]) as log:
        log.start()
        content = rig.bot_settings(
            folder, ready, job.get("bases", ("BTC",)), pair=job.get("pair"), venue=job.get("venue")
        )
        secrets = rig.bot_secrets(ready, job.get("account", 0))
        bot = assemble(rig.bot_config(folder, content), secrets, clock, log)
        bot.health.watch_collector()
        await bot.start()
        await subject.ready()
        halted = bot.gate.halted
        return {"flat": await bot.stop("bench"), "halted": halted}


if __name__ == "__main__":
    serve(body)
