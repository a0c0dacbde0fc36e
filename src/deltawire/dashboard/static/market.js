// Spread against thresholds, and both books, over time. Points come once from the server, then one from each answer.

import { Chart, drawLevels, drawMarks, uPlot } from "./charts.js";
import { $, put } from "./dom.js";
import { bps, fixed } from "./format.js";

const COLUMNS = ["t", "a_bid", "a_ask", "b_bid", "b_ask", "premium_low", "premium_high", "delta_usd"];
const KEPT_S = 3700;
const number = (x) => (x === null || x === undefined || !Number.isFinite(Number(x)) ? null : Number(x));

let minutes = 5;
let pair = null; // the pair as last told
let points = null; // columns of the pair shown; null while they are fetched
let wanted = "";
let trades = [];

const premium = new Chart($("premium"), 230, (colour) => ({
  series: [
    { label: "low", stroke: colour("--net"), width: 1.5 },
    { label: "high", stroke: colour("--net"), width: 1.5 },
  ],
  bands: [{ series: [2, 1], fill: colour("--band") }],
  axes: [{}, { values: (_, ticks) => ticks.map((v) => fixed(v, Math.abs(ticks[1] - ticks[0]) < 1 ? 1 : 0)) }],
  scales: { y: { range: (_, lo, hi) => premiumRange(lo, hi) } },
  cursor: { sync: { key: "market" } },
  hooks: { draw: [(plot) => drawLevels(plot, thresholdLines(colour)), (plot) => drawMarks(plot, trades.filter((trade) => trade.pair_id === pair?.id), colour)], setCursor: [(plot) => words(plot.cursor.idx)] },
}));

const prices = new Chart($("prices"), 170, (colour) => ({
  series: [
    { label: "a bid", stroke: colour("--a"), width: 1 },
    { label: "a ask", stroke: colour("--a"), width: 1 },
    { label: "b bid", stroke: colour("--b"), width: 1, dash: [5, 3] },
    { label: "b ask", stroke: colour("--b"), width: 1, dash: [5, 3] },
  ],
  bands: [
    { series: [2, 1], fill: colour("--a-soft") },
    { series: [4, 3], fill: colour("--b-soft") },
  ],
  axes: [{}, { size: 66, values: (_, ticks) => ticks.map((v) => fixed(v, ticks[1] - ticks[0] < 1 ? 2 : 0)) }],
  cursor: { sync: { key: "market" } },
}));

uPlot.sync("market");

function limits() {
  const told = pair?.thresholds ?? {};
  return { entry: number(told.entry_spread), exit: number(told.exit) };
}

// Both entry lines always, so that the scale stands still while the spread moves between them.
function premiumRange(lo, hi) {
  const { entry } = limits();
  const ends = [lo, hi, entry, entry === null ? null : -entry].filter((v) => v !== null && Number.isFinite(v));
  if (!ends.length) return [-1, 1];
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  const air = Math.max((to - from) * 0.08, 0.5);
  return [from - air, to + air];
}

function thresholdLines(colour) {
  const { entry, exit } = limits();
  const [a, b] = Object.keys(pair?.books ?? {});
  const lines = [{ at: 0, text: "", stroke: colour("--line-strong") }];
  if (entry !== null) {
    const style = { stroke: colour("--text"), dash: [6, 4] };
    lines.push({ at: entry, text: `enter: buy ${a}, sell ${b}`, ...style });
    lines.push({ at: -entry, text: `enter: buy ${b}, sell ${a}`, ...style });
  }
  if (exit !== null && pair?.trade) {
    // A trade that bought a closes when the high edge comes down to the exit; one that bought b, mirrored.
    const bought_a = pair.trade.buy === a;
    lines.push({ at: bought_a ? exit : -exit, text: "close", stroke: colour("--warn"), dash: [2, 3] });
  }
  return lines;
}

// Trades of the pair shown: where each was opened and closed.
export function marks(list) {
  trades = list;
}

export function pointOf(told, unixS) {
  const tops = Object.values(told.books ?? {})
    .slice(0, 2)
    .flatMap((book) => ["bid", "ask"].map((side) => (book.valid ? number(book[side]) || null : null)));
  while (tops.length < 4) tops.push(null);
  const reverse = number(told.spread_bps?.buy_b);
  return [unixS, ...tops, number(told.spread_bps?.buy_a), reverse === null ? null : -reverse, number(told.delta_usd)];
}

// Take one answer of the bot. told: the pair shown; null when the bot is away, which draws a gap.
export function take(told, unixS) {
  if (told) {
    pair = told;
    if (wanted !== told.id) load(told.id);
  }
  if (!points) return;
  const times = points[0];
  if (times.length && unixS <= times[times.length - 1]) return;
  const point = told ? pointOf(told, unixS) : [unixS, ...COLUMNS.slice(1).map(() => null)];
  point.forEach((value, i) => points[i].push(value));
  if (times.length > 50 && times[0] < unixS - KEPT_S - 60) {
    const cut = times.findIndex((t) => t >= unixS - KEPT_S);
    points = points.map((column) => column.slice(cut));
  }
  draw();
}

async function load(id) {
  wanted = id;
  points = null;
  const answer = await fetch(`/api/history?pair=${encodeURIComponent(id)}`);
  if (!answer.ok || wanted !== id) return;
  const columns = await answer.json();
  points = COLUMNS.map((name) => columns[name] ?? []);
  draw();
}

export function span(chosen) {
  minutes = chosen;
  draw();
}

function draw() {
  if (!points || !points[0].length || document.hidden) return;
  const times = points[0];
  const end = times[times.length - 1];
  const cut = Math.max(0, times.findIndex((t) => t >= end - minutes * 60));
  const [t, aBid, aAsk, bBid, bAsk, low, high] = points.map((column) => column.slice(cut));
  // The window grows until it is full, and slides from then on.
  const range = [t[0], Math.max(end, t[0] + 10)];
  premium.set([t, low, high], range);
  prices.set([t, aBid, aAsk, bBid, bAsk], range);
  words(null);
}

let wordsAt = 0;
function words(idx) {
  if (!points || !pair) return;
  const shown = premium.data;
  const at = idx ?? shown?.[0].length - 1;
  if (idx === null || idx === undefined) {
    // Spoken by screen readers when they look at the chart; twice a second is more than enough.
    if (performance.now() - wordsAt < 500) return;
    wordsAt = performance.now();
  }
  if (!shown || at < 0) return;
  const [a, b] = Object.keys(pair.books);
  const { entry, exit } = limits();
  put(
    $("premium-words"),
    `Premium of ${b} over ${a}: buy ${a}, sell ${b} ${bps(shown[1][at])} bps; the reverse costs ${bps(shown[2][at])}. ` +
      `Enter beyond ±${fixed(entry)}${pair.trade ? `, close at ${fixed(exit)}` : ""}.`,
  );
  const tops = prices.data;
  put(
    $("prices-words"),
    `${a} ${fixed(tops[1][at])} / ${fixed(tops[2][at])} (solid), ${b} ${fixed(tops[3][at])} / ${fixed(tops[4][at])} (dashed)`,
  );
}
