"""Checks that need no network: files, folders, locks, what an earlier run left. Changes nothing but a probe file."""

import os
import shutil
import ssl
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from deltawire.config.model import BotConfig
from deltawire.doctor.lines import Sheet
from deltawire.engine.recovery import read_back
from deltawire.journal.accounts import LiveConsent, state_folder
from deltawire.journal.log import writer_pid
from deltawire.journal.segments import JournalError, read, size_bytes
from deltawire.net.tls import client_context

SETTINGS, MACHINE = "settings", "machine"
DISK_FAIL_BYTES, DISK_WARN_BYTES = 200 * 2**20, 2 * 2**30  # a busy day writes some 100 MB of journal and log
JOURNAL_WARN_BYTES = 2**30  # the start reads some tens of MB a second
CA_WARN_DAYS = 14
SOCKETS_WANTED = 256  # files a bot has open: some twenty sockets, the journal, the log, and room for reconnects


def disk_free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def check_settings(config: BotConfig, sheet: Sheet) -> bool:
    """Look at what was read from the file, as far as it can be judged without the venues.

    False when no connection can be made with it.
    """
    is_usable = True
    simulated = ", venues simulated on this machine" if config.is_simulated else ""
    sheet.ok(SETTINGS, "config", f"mode {config.mode.value}, {len(config.pairs)} pair(s){simulated}")
    for venue, ca_file in (("paradex", config.venues.paradex.ca_file), ("vest", config.venues.vest.ca_file)):
        if ca_file is None:
            continue
        try:
            client_context(str(ca_file))
            ends = _ca_ends(ca_file)
        except (ValueError, OSError) as e:
            sheet.fail(SETTINGS, "ca_file", f"{venue}: {e}", f"name a PEM certificate in venues.{venue}.ca_file")
            is_usable = False
            continue
        days = (ends - datetime.now(UTC)).days
        told = f"{venue}: {ca_file}, valid until {ends:%Y-%m-%d}"
        if days < 0:
            sheet.fail(SETTINGS, "ca_file", told, f"renew the file, or drop venues.{venue}.ca_file")
        elif days < CA_WARN_DAYS and not config.is_simulated:
            sheet.warn(SETTINGS, "ca_file", told, f"renew it within {days} days")
        else:
            sheet.ok(SETTINGS, "ca_file", told)
    for pair in config.pairs:
        if pair.entry_edge_e8 <= 0:
            sheet.warn(
                SETTINGS,
                "entry_edge",
                f"pair {pair.id}: entry_edge_bps is {pair.entry_edge_e8 / 1e4:g}: a trade may earn nothing at all",
                "raise entry_edge_bps: what is left after both fees, and the least worth the risk",
            )
        elif pair.entry_edge_e8 < pair.slippage_e8:
            sheet.warn(
                SETTINGS,
                "entry_edge",
                f"pair {pair.id}: entry_edge_bps {pair.entry_edge_e8 / 1e4:g} is under the "
                f"{pair.slippage_e8 / 1e4:g} bps that one order may slip by",
                "raise entry_edge_bps or lower max_slippage_bps",
            )
        else:
            sheet.ok(SETTINGS, "entry_edge", f"pair {pair.id}: {pair.entry_edge_e8 / 1e4:g} bps net of all costs")
    return is_usable


def check_consent(config: BotConfig, paradex_account: str, vest_address: str, sheet: Sheet) -> None:
    if not config.is_money:
        return
    if LiveConsent(paradex_account, vest_address, state_folder()).given:
        sheet.ok(SETTINGS, "live", "real orders for these accounts were agreed to")
    else:
        sheet.warn(
            SETTINGS, "live", "real orders for these accounts were never agreed to", "start once with: run --live"
        )


def check_machine(config: BotConfig, sheet: Sheet, free: Callable[[Path], int] = disk_free) -> int | None:
    """Look at folders, disk and journal. Returns the process id of a bot that runs on this journal."""
    folder = config.journal.dir
    there = next(path for path in (folder, *folder.parents) if path.exists())
    _check_disk(there, sheet, free)
    try:
        with tempfile.TemporaryFile(dir=there):
            _check_journal(folder, sheet)
    except OSError as e:
        remedy = "mend owner and mode, or name another folder in journal.dir"
        sheet.fail(MACHINE, "journal", f"{folder} cannot be written: {e.strerror}", remedy)
        return None
    _check_files(sheet)
    pid = writer_pid(folder)
    if pid is not None:
        sheet.warn(
            MACHINE,
            "running",
            f"a bot (process {pid}) runs on this journal; keys and accounts are not looked at, for a second sign-in "
            "would disturb it",
            "`deltawire status` asks the bot; `deltawire stop` ends it, then check again",
        )
    _check_last_run(folder, sheet, is_running=pid is not None)
    return pid


def _check_disk(folder: Path, sheet: Sheet, free: Callable[[Path], int]) -> None:
    left = free(folder)
    told = f"{left / 2**30:.1f} GiB free for the journal"
    if left < DISK_FAIL_BYTES:
        sheet.fail(MACHINE, "disk", told, "free some space: without a journal nothing is opened")
    elif left < DISK_WARN_BYTES:
        sheet.warn(MACHINE, "disk", told, "free some space soon; log.max_mb and log.keep bound the log")
    else:
        sheet.ok(MACHINE, "disk", told)


def _check_journal(folder: Path, sheet: Sheet) -> None:
    size = size_bytes(folder)
    told = f"{folder} can be written, {size / 2**20:.1f} MiB"
    if size > JOURNAL_WARN_BYTES:
        remedy = "the start reads it whole: `deltawire stop`, `deltawire journal archive --to DIR`, start again"
        sheet.warn(MACHINE, "journal", told, remedy)
    else:
        sheet.ok(MACHINE, "journal", told)


def _check_files(sheet: Sheet) -> None:
    limit = _open_files_max()
    if limit < SOCKETS_WANTED:
        remedy = f"ulimit -n {SOCKETS_WANTED}, or LimitNOFILE= of its systemd unit"
        sheet.warn(MACHINE, "open_files", f"at most {limit} open files", remedy)


def _open_files_max() -> int:
    return os.sysconf("SC_OPEN_MAX")


def _check_last_run(folder: Path, sheet: Sheet, *, is_running: bool) -> None:
    name = "last_run"
    try:
        recovered = read_back((record for _, record in read(folder)), 0)
    except JournalError as e:
        sheet.fail(MACHINE, name, f"the journal cannot be read: {e}", "see docs/journal.md before anything else")
        return
    if is_running:
        return
    remedies = []
    told = []
    if recovered.halted:
        told.append(f"halted: {recovered.halted}")
        remedies.append("find out why; then start the bot and say `deltawire arm`")
    if recovered.unclean_before:
        told.append("it did not end clean")
        remedies.append("start the bot: it asks the venues and closes or keeps what is open; then `deltawire arm`")
    if recovered.open_trades:
        trades = ", ".join(f"{trade.trade_id} of pair {trade.pair_id}" for trade in recovered.open_trades)
        told.append(f"open trades: {trades}")
    if told:
        sheet.warn(MACHINE, name, "; ".join(told), "; ".join(remedies) or "start the bot: it takes them over")
    else:
        sheet.ok(MACHINE, name, "nothing is left of an earlier run")


def _ca_ends(ca_file: Path) -> datetime:
    """Return when the first certificate of the file ends. Raises ValueError, OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(ca_file))
    ends = [str(found["notAfter"]) for found in context.get_ca_certs() if "notAfter" in found]
    if not ends:
        raise ValueError(f"{ca_file} holds no certificate authority")
    return min(datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) for end in ends)
