// Starts the page: one stream of events in, every part redrawn from it. Says so whenever a figure is not of now.

import * as commands from "./commands.js";
import { $, level, put, show } from "./dom.js";
import { clock, lasted } from "./format.js";
import { key } from "./key.js";
import * as live from "./live.js";
import * as market from "./market.js";
import * as past from "./past.js";
import { toggle } from "./theme.js";

const SILENT_MS = 25_000; // the server speaks every ten seconds at least

let bot = null;
let newest = null; // the journal's newest run
let older = null; // the run a person chose instead
let chosenPair = null;
let heardAt = 0; // of the server, on the page's own clock
let serverLost = false;
let lastState = "";
let lastAlert = "";

const view = () => older ?? newest;

function say(text, urgent = false) {
  put($("polite"), "");
  put(urgent ? $("urgent") : $("polite"), text);
  note = { text, urgent, until: performance.now() + 8000 };
  drawBanner();
}
let note = null;

function onBot(told) {
  bot = told;
  const pairs = told.status?.pairs ?? [];
  if (!pairs.some((pair) => pair.id === chosenPair)) chosenPair = pairs[0]?.id ?? null;
  const pair = pairs.find((p) => p.id === chosenPair) ?? null;
  const unixS = (told.connected ? told.heard_unix_ns : told.now_unix_ns) / 1e9;
  live.header(told, newest);
  live.kpis(told, newest);
  live.pairs(pairs, chosenPair, choosePair);
  put($("market-pair"), pair ? pair.id : "");
  market.take(told.connected ? pair : null, unixS);
  live.books(pair);
  live.limits(told.status?.limits);
  live.loop(told.status?.loop);
  live.venues(told.status?.venues, pairs);
  commands.update(told);
  document.body.dataset.live = told.connected && !serverLost ? "yes" : "no";
  drawAlerts();
  const state = told.connected ? `${told.status.state}${told.status.halted ? ", halted" : ""}` : "away";
  if (state !== lastState) {
    const bad = state === "away" ? told.has_socket : Boolean(told.status?.halted);
    if (lastState) put(bad ? $("urgent") : $("polite"), `the bot is ${state}`);
    document.title = `${state === "away" ? "bot away" : state} · deltawire`;
    lastState = state;
  }
  drawBanner();
}

function choosePair(id) {
  chosenPair = id;
  if (bot) onBot(bot);
}

function onJournal(told) {
  if (told.error) {
    say(`the journal cannot be read: ${told.error}`, true);
    return;
  }
  newest = told;
  if (older?.run.run_id === told.run.run_id) older = null;
  drawPast();
}

function drawPast() {
  const told = view();
  if (!told) return;
  past.remember(told);
  past.runs(newest.runs, told.run.run_id, newest.run.status === "running" ? newest.run.run_id : "");
  past.runNote(told.run);
  past.trades(told);
  past.causes(told.causes);
  past.money(told.money, told.run);
  past.reconciled(told.reconciled);
  market.marks(told.trades);
  past.waterfall(told.latency);
  past.latencyOverTime(told.latency);
  drawAlerts();
  if (bot) live.kpis(bot, newest);
}

function drawAlerts() {
  const first = past.alerts(view()?.alerts ?? [], bot?.status?.alarms ?? []);
  const text = first ? `${first.level}: ${first.text}` : "";
  if (text !== lastAlert) {
    if (lastAlert && first?.level === "error") put($("urgent"), text);
    lastAlert = text;
  }
}

async function chooseRun(runId) {
  if (newest && runId === newest.run.run_id) older = null;
  else {
    const answer = await fetch(`/api/run?id=${encodeURIComponent(runId)}`);
    if (answer.ok) older = await answer.json();
    else say(`run ${runId} could not be read`, true);
  }
  drawPast();
}

// How old what is shown is: told by the server's clocks and this page's own stopwatch, never by this machine's date.
function drawBanner() {
  const silentS = (performance.now() - heardAt) / 1000;
  let words = "";
  let how = "";
  if (serverLost) {
    words = `This page lost its server ${lasted(silentS)} ago; nothing here is of now. Trying again. If it was started anew, open its new address.`;
    how = "bad";
  } else if (bot && !bot.connected && bot.has_socket) {
    const sinceS = bot.heard_unix_ns ? (bot.now_unix_ns - bot.heard_unix_ns) / 1e9 + silentS : null;
    const heard = sinceS === null ? "It was not heard since this page's server started." : `Last heard at ${clock(bot.heard_unix_ns / 1e9)}, ${lasted(sinceS)} ago.`;
    words = `The bot is away: ${bot.why}. ${heard} Below stands what the journal says${bot.status ? "; live figures are the last heard" : ""}.`;
    how = "bad";
  } else if (bot && !bot.has_socket) {
    const run = view()?.run;
    const ended = run?.began ? `${clock(run.began)}, ${lasted(run.duration_s)} long` : "";
    words = `A journal without its bot${ended ? `: run of ${ended}` : ""}. There is nothing live to show.`;
    how = "dim";
  } else if (bot?.status?.halted) {
    words = `No entries: ${bot.status.halted}. Exits go on. Look, then arm.`;
    how = "bad";
  } else if (older) {
    words = `Trades, latency and money are of an older run, ${older.run.run_id}; the rest is of now.`;
    how = "warn";
  }
  if (note && performance.now() < note.until) {
    words = words ? `${note.text} · ${words}` : note.text;
    how = note.urgent ? "bad" : how || "good";
  }
  put($("banner"), words);
  level($("banner"), how);
  show($("banner"), Boolean(words));
  put($("link"), serverLost ? "server lost" : bot?.connected ? `live · answered in ${bot.took_ms} ms` : bot?.has_socket ? "no answer" : "journal");
  level($("link"), serverLost || (bot?.has_socket && !bot.connected) ? "bad" : bot?.connected ? "good" : "dim");
}

function connect() {
  const events = new EventSource("/api/events");
  const heard = (work) => (event) => {
    heardAt = performance.now();
    serverLost = false;
    work(JSON.parse(event.data));
  };
  events.addEventListener("bot", heard(onBot));
  events.addEventListener("journal", heard(onJournal));
  events.addEventListener("quiet", heard(() => {}));
  events.addEventListener("error", async () => {
    serverLost = true;
    document.body.dataset.live = "no";
    drawBanner();
    if (events.readyState !== EventSource.CLOSED) return; // it tries again by itself
    const answer = await fetch("/api/page").catch(() => null);
    if (answer?.status === 401) location.replace("/login"); // another start, another token
    else setTimeout(connect, 2000);
  });
}

$("theme").addEventListener("click", toggle);
$("runs").addEventListener("change", (event) => chooseRun(event.target.value));
for (const button of $("spans").children) {
  button.addEventListener("click", () => {
    for (const other of $("spans").children) other.setAttribute("aria-pressed", other === button);
    market.span(Number(button.dataset.minutes));
  });
}
setInterval(() => {
  if (heardAt && performance.now() - heardAt > SILENT_MS) serverLost = true;
  drawBanner();
}, 1000);

const about = await fetch("/api/page").catch(() => null);
if (!about?.ok || !key()) location.replace("/login");
else {
  commands.setUp((await about.json()).commands, say);
  connect();
}
