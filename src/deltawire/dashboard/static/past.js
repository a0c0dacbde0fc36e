// What the journal says: trades and their causes, latency, money, alerts.

import { Chart } from "./charts.js";
import { $, cells, el, keyed, level, put, show } from "./dom.js";
import { bps, clock, fixed, goodBad, lasted, ms, plain, us, usd, usdSigned } from "./format.js";

const open = new Set(); // trades whose details are shown
const details = new Map(); // trade id: its orders, once fetched

export function trades(view) {
  put($("trades-count"), view.trades_total > view.trades.length ? `last ${view.trades.length} of ${view.trades_total}` : `${view.trades_total}`);
  show($("trades-empty"), !view.trades.length);
  show($("trades-table"), view.trades.length > 0);
  const rows = view.trades.flatMap((trade) => (open.has(trade.trade_id) ? [trade, { detail: true, ...trade }] : [trade]));
  keyed(
    $("trades"),
    rows,
    (trade) => (trade.detail ? `${trade.trade_id}/` : trade.trade_id),
    (trade) => (trade.detail ? detailRow() : tradeRow(trade, view)),
    (row, trade) => (trade.detail ? updateDetail(row, trade) : updateTrade(row, trade)),
  );
}

function tradeRow(trade) {
  const toggle = el("button", { type: "button", class: "row", "aria-expanded": "false", title: trade.trade_id });
  const n = (extra = "") => el("td", { class: `n ${extra}` });
  const row = el("tr", {}, el("th", { scope: "row" }, toggle), el("td"), el("td", {}, el("span", { class: "badge" })), n(), n(), n("opt"), n(), n(), n("opt"), n("opt"));
  toggle.addEventListener("click", () => {
    if (!open.delete(trade.trade_id)) open.add(trade.trade_id);
    redraw();
  });
  return row;
}

let lastView = null;
const redraw = () => lastView && trades(lastView);
export function remember(view) {
  lastView = view;
}

const OUTCOMES = { open: "warn", closed: "good", unwound: "warn", nothing_filled: "dim", stuck: "bad" };

function updateTrade(row, trade) {
  const at = row.cells;
  const toggle = at[0].firstChild;
  put(toggle, `${open.has(trade.trade_id) ? "▾" : "▸"} ${clock(trade.opened)}`);
  toggle.setAttribute("aria-expanded", open.has(trade.trade_id));
  const kept = trade.causes?.at(-1)?.[1] ?? null;
  cells(
    [at[1], at[2].firstChild, at[3], at[4], at[5], at[6], at[7], at[8], at[9]],
    [
      trade.pair_id,
      { text: trade.outcome.replace("_", " "), level: OUTCOMES[trade.outcome] ?? "dim" },
      `${bps(trade.detected_bps)} → ${bps(trade.executed_bps)}`,
      `${bps(trade.exit_detected_bps)} → ${bps(trade.exit_executed_bps)}`,
      usd(trade.fees_usd),
      { text: usdSigned(trade.pnl_usd), level: goodBad(trade.pnl_usd) },
      { text: bps(kept), level: goodBad(kept) },
      trade.unhedged_ms ? ms(trade.unhedged_ms) : "–",
      trade.closed ? lasted(trade.closed - trade.opened) : "–",
    ],
  );
}

function detailRow() {
  return el("tr", { class: "detail" }, el("td", { colspan: "10" }, el("div", { class: "detailbox" }, el("div"), el("div", {}, "…"))));
}

async function updateDetail(row, trade) {
  const [left, right] = row.querySelector(".detailbox").children;
  const mark = `${trade.outcome}/${trade.pnl_usd}`;
  if (row.dataset.mark === mark) return;
  row.dataset.mark = mark;
  left.replaceChildren(el("h3", {}, `Trade ${trade.trade_id}`), trade.causes ? bridge(trade.causes) : el("p", { class: "dim" }, "Split into causes once it is over."));
  const answer = await fetch(`/api/trade?id=${encodeURIComponent(trade.trade_id)}`);
  if (!answer.ok) {
    right.replaceChildren("its orders could not be read");
    return;
  }
  details.set(trade.trade_id, await answer.json());
  right.replaceChildren(...orders(details.get(trade.trade_id).orders));
}

// A cause of one leg ends with its venue.
const CAUSES = {
  "entry best": "best prices at entry",
  "entry depth": "depth",
  "entry seen": "seen at entry",
  "entry wait": "waited to be sent",
  "entry staleness": "staleness",
  "entry leg delay": "leg delay",
  "entry slipped": "lost at entry",
  "exit best": "best prices at exit",
  "exit depth": "depth",
  "exit seen": "seen at exit",
  "exit wait": "waited to be sent",
  "exit staleness": "staleness",
  "exit leg delay": "leg delay",
  "exit slipped": "lost at exit",
  fees: "fees",
  funding: "funding",
  other: "repairs, unwinds",
  kept: "kept",
};

function causeName(name) {
  const known = Object.keys(CAUSES).find((cause) => name === cause || name.startsWith(`${cause} `));
  return known ? `${CAUSES[known]}${name.slice(known.length)}` : name;
}

// A waterfall of causes: each bar begins where the one before ended; the last one stands on zero.
export function bridge(causes) {
  let at = 0;
  const spans = causes.map(([name, value]) => {
    const from = name === "kept" ? 0 : at;
    at = from + value;
    return { name, value, from: Math.min(from, at), to: Math.max(from, at) };
  });
  const lo = Math.min(0, ...spans.map((s) => s.from));
  const hi = Math.max(0, ...spans.map((s) => s.to));
  const wide = hi - lo || 1;
  const list = el("dl", { class: "bridge" });
  for (const { name, value, from, to } of spans) {
    const bar = el("i", { data: { level: name === "kept" ? `kept ${goodBad(value)}` : goodBad(value) } });
    bar.style.left = `${((from - lo) / wide) * 100}%`;
    bar.style.width = `${Math.max(0.5, ((to - from) / wide) * 100)}%`;
    const zero = el("u");
    zero.style.left = `${(-lo / wide) * 100}%`;
    list.append(
      el("div", { class: name === "kept" ? "total" : "" }, el("dt", {}, causeName(name)), el("dd", { class: "track", "aria-hidden": "true" }, zero, bar), el("dd", { class: "n" }, bps(value))),
    );
  }
  return list;
}

const INSIDE_WIRE = ["out", "venue", "back"]; // where the venue tells its own stamps
const INSIDE = { out: "to the venue", venue: "inside it", back: "and back" };
const PHASES = ["decode", "decide", "signature", "encode", "write", "wire", "parse"];

function orders(list) {
  const groups = Map.groupBy ? Map.groupBy(list, (o) => o.purpose) : group(list);
  return [...groups].flatMap(([purpose, members]) => {
    const end = Math.max(1, ...members.flatMap((o) => o.phases.map(([, , to]) => to)));
    return [
      el("h3", {}, purpose, el("span", { class: "dim" }, ` µs to ms from the market frame, both legs on one axis, ${us(end)} wide`)),
      ...members.map((order) => orderBox(order, end)),
    ];
  });
}

function group(list) {
  const found = new Map();
  for (const order of list) found.set(order.purpose, [...(found.get(order.purpose) ?? []), order]);
  return found;
}

function orderBox(order, end) {
  const words = `${order.side} ${fixed(order.filled, 6)} of ${fixed(order.size, 6)} at ${order.venue}, ${order.price === null ? "no price" : fixed(order.price, 2)} (cap ${fixed(order.cap, 2)}), ${order.state}${order.why ? `: ${order.why}` : ""}${order.in_doubt ? ", was in doubt" : ""}`;
  const track = el("div", { class: "lane", "aria-hidden": "true" });
  for (const [name, from, to] of order.phases) {
    const bar = el(name === "filled" ? "b" : "i", { data: { phase: name }, title: `${name} ${us(to - from)}` });
    bar.style.left = `${(from / end) * 100}%`;
    bar.style.width = `${((to - from) / end) * 100}%`;
    track.append(bar);
  }
  const spent = order.phases.map(([name, from, to]) => (name === "filled" ? `filled at ${us(to)}` : `${name} ${us(to - from)}`)).join(" · ");
  return el("div", { class: "order" }, el("p", {}, words), track, el("p", { class: "small dim" }, spent || "no stamps"));
}

// The median order of each venue: each phase begins where the one before ends.
export function waterfall(latency) {
  keyed(
    $("waterfall"),
    Object.entries(latency),
    ([venue]) => venue,
    ([venue]) => el("div", {}, el("h3", {}, venue, el("span", { class: "dim" })), el("table", { class: "phases" }, el("caption", { class: "visually-hidden" }, `Phases of an order at ${venue}`), phaseHead(), el("tbody"))),
    (node, [, told]) => {
      put(node.querySelector(".dim"), ` ${told.n} orders by ${told.transport.join(", ")}, ${told.reused} on a warm connection, ${told.presigned} signed ahead`);
      const rows = [...PHASES.flatMap((name) => (name === "wire" ? ["wire", ...INSIDE_WIRE] : [name])), "total", "fill"].filter((name) => told.phases[name]);
      const whole = PHASES.reduce((total, name) => total + (told.phases[name]?.[1] ?? 0), 0) || 1;
      let at = 0;
      keyed(
        node.querySelector("tbody"),
        rows,
        (name) => name,
        (name) => el("tr", { class: PHASES.includes(name) ? "" : INSIDE_WIRE.includes(name) ? "inside" : "total" }, el("th", { scope: "row" }, INSIDE[name] ?? name), el("td", { class: "bars" }, el("div", { class: "track" }, el("i", { data: { phase: name } }))), ...[0, 1, 2, 3].map((i) => el("td", { class: `n ${i === 1 ? "opt" : ""}` }))),
        (row, name) => {
          const [, p50, p90, p99, most] = told.phases[name];
          const bar = row.querySelector("i");
          const from = PHASES.includes(name) ? at : name === "total" ? (told.phases.decode?.[1] ?? 0) + (told.phases.decide?.[1] ?? 0) : 0;
          if (PHASES.includes(name)) at += p50;
          bar.style.left = `${Math.min(99.5, (from / whole) * 100)}%`;
          bar.style.width = `${Math.min(100, (p50 / whole) * 100)}%`;
          show(bar, name !== "fill" && !INSIDE_WIRE.includes(name));
          cells([...row.cells].slice(2), [us(p50), us(p90), us(p99), us(most)]);
        },
      );
    },
  );
}

const phaseHead = () =>
  el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "phase"), el("th", { scope: "col" }, el("span", { class: "visually-hidden" }, "share of the whole")), ...["p50", "p90", "p99", "max"].map((name) => el("th", { scope: "col", class: `n ${name === "p90" ? "opt" : ""}` }, name))));

let latVenues = [];
const lat = new Chart($("lat"), 200, (colour) => ({
  series: latVenues.flatMap((_, i) => {
    const stroke = colour(i ? "--b" : "--a");
    return [
      { label: "order", stroke, width: 0, paths: () => null, points: { show: true, size: 4, fill: stroke, width: 0 } },
      { label: "p50", stroke, width: 1.5, spanGaps: true },
      { label: "p99", stroke, width: 1, dash: [4, 3], spanGaps: true },
    ];
  }),
  axes: [{}, { values: (_, ticks) => ticks.map((v) => (v === null ? "" : ms(v))), size: 66 }],
  scales: { y: { distr: 3 } },
}));

export function latencyOverTime(latency) {
  const venues = Object.keys(latency).filter((venue) => latency[venue].over_time.t.length);
  show($("lat"), venues.length > 0);
  if (!venues.length) {
    put($("lat-words"), "No answered order yet.");
    return;
  }
  if (venues.join() !== latVenues.join()) {
    latVenues = venues;
    lat.plot?.destroy();
    lat.plot = null;
  }
  // One time axis for all venues: where a venue has no order at a moment it has no point.
  const times = [...new Set(venues.flatMap((venue) => latency[venue].over_time.t))].sort((a, b) => a - b);
  const at = new Map(times.map((t, i) => [t, i]));
  const columns = venues.flatMap((venue) => {
    const told = latency[venue].over_time;
    return ["total", "p50", "p99"].map((name) => {
      const column = new Array(times.length).fill(null);
      told.t.forEach((t, i) => (column[at.get(t)] = Math.max(told[name][i], 1e-3)));
      return column;
    });
  });
  lat.set([times, ...columns]);
  put(
    $("lat-words"),
    venues.map((venue, i) => {
      const told = latency[venue].over_time;
      return `${venue} (${i ? "amber" : "blue"}): p50 ${ms(told.p50.at(-1))}, p90 ${ms(told.p90.at(-1))}, p99 ${ms(told.p99.at(-1))} of the last orders`;
    }).join("; ") + ". Log scale; solid p50, dashed p99.",
  );
}

const pnl = new Chart($("pnl"), 170, (colour) => ({
  series: [
    { label: "net", stroke: colour("--net"), width: 2, points: { show: true, size: 4, fill: colour("--net") } },
    { label: "fees", stroke: colour("--dim"), width: 1, dash: [4, 3] },
    { label: "funding", stroke: colour("--b"), width: 1, dash: [1, 3] },
  ],
  axes: [{}, { values: (_, ticks) => ticks.map((v) => fixed(v, Math.abs(ticks[1] - ticks[0]) < 1 ? 2 : 0)) }],
}));

export function money(told, run) {
  show($("pnl"), told.t.length > 0);
  if (told.t.length) pnl.set([told.t, told.net, told.fees, told.funding]);
  put(
    $("pnl-words"),
    told.t.length
      ? `PnL after fees, with funding, ${usdSigned(run.pnl_usd)} USD (solid); fees paid ${usd(run.fees_usd)} (dashed); funding ${usdSigned(run.funding_usd)} (dotted)${run.simulated ? "; simulated venues, no figure is money" : ""}.`
      : "No finished trade yet.",
  );
}

export function causes(list) {
  if (list.length) $("causes").replaceChildren(bridge(list));
  else $("causes").replaceChildren(el("p", { class: "empty" }, "No finished trade yet."));
}

export function alerts(fromJournal, fromLog) {
  const list = [...fromJournal, ...fromLog.map((a) => ({ t: a.unix_ns / 1e9, level: a.level, text: `${a.event} ${a.text}`.trim() }))];
  list.sort((a, b) => b.t - a.t);
  const shown = list.slice(0, 60);
  show($("alerts-empty"), !shown.length);
  const seen = new Map();
  const key = (alert) => {
    const name = `${alert.t}|${alert.text}`;
    seen.set(name, (seen.get(name) ?? 0) + 1);
    return `${name}|${seen.get(name)}`;
  };
  keyed(
    $("alerts"),
    shown,
    key,
    (alert) =>
      el(
        "li",
        { data: { level: alert.level === "error" ? "bad" : alert.level === "warning" ? "warn" : "" } },
        el("span", { class: "mark" }, alert.level === "error" ? "▲ error" : alert.level === "warning" ? "● warning" : "○ note"),
        el("time", { class: "dim" }, clock(alert.t)),
        el("span", { class: "text" }, alert.text),
      ),
    () => {},
  );
  return shown[0] ?? null;
}

// When everything was last compared with the venues' own books.
export function reconciled(told) {
  const words = told ? `Compared with the venues' books at ${clock(told.t)}: ${told.differences.length ? `${told.differences.length} differ` : "no difference"}.` : "Not compared with the venues' books yet.";
  put($("reconciled"), words);
  level($("reconciled"), told?.differences.length ? "bad" : "");
}

export function runs(list, chosen, underWay) {
  keyed(
    $("runs"),
    list,
    (run) => run.run_id,
    (run) => el("option", { value: run.run_id }),
    (node, run) => put(node, `${clock(run.began)} ${run.ended === null ? (run.run_id === underWay ? "under way" : "no end") : run.clean ? "clean" : "unclean"} · ${run.run_id}`),
  );
  if ($("runs").value !== chosen) $("runs").value = chosen;
}

const STATUS = { running: "under way", ended: "ended clean", unclean: "did not end clean", crashed: "has no end: the bot died", empty: "no run recorded" };

export function runNote(run) {
  const parts = [`Run ${plain(run.run_id)} ${STATUS[run.status] ?? run.status}, ${lasted(run.duration_s)}`];
  parts.push(run.flat ? "flat" : "not flat", run.agree ? "journal and venues agree" : "no agreement on record");
  put($("runnote"), `${parts.join(" · ")}${run.notes.length ? ` — ${run.notes.slice(0, 3).join("; ")}` : ""}`);
  level($("runnote"), ["crashed", "unclean"].includes(run.status) ? "warn" : "");
  show($("runnote"), run.status !== "empty");
}
