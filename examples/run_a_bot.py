"""Runs a bot from a program of its own, for as many round trips as it is told: run_a_bot.py CONFIG COUNT.

The settings are those of `deltawire run`; `deltawire init` writes them. Mode paper needs no account.
"""

import asyncio
import sys
from pathlib import Path

import deltawire


async def trade(config_file: Path, round_trips: int) -> int:
    """Run the bot of these settings until it has made so many round trips, and return its exit code."""
    config = deltawire.load_config(config_file)
    secrets = None if config.is_paper else deltawire.load_secrets(config_file.parent / ".env")
    bot = deltawire.BotRun(config, secrets)
    running = asyncio.create_task(bot.run())
    while not running.done():
        await asyncio.sleep(0.2)
        try:
            status = await bot.ask("status")
        except deltawire.NotRunning:
            continue  # it is still reading its journal, or it has ended
        if status["round_trips"] >= round_trips:
            bot.stop()  # closes what is open, asks both venues whether they agree, and only then ends
            break
    return await running


if __name__ == "__main__":
    sys.exit(asyncio.run(trade(Path(sys.argv[1]), int(sys.argv[2]))))
