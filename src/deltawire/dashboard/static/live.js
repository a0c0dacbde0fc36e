// What the bot says of itself now: header, key figures, pairs, books, limits, venues. Draws only what it was told.

import { $, cells, el, keyed, level, put, show } from "./dom.js";
import { bps, fixed, lasted, ms, plain, signed, us, usd, usdSigned, goodBad } from "./format.js";

const LEVELS = { running: "good", paused: "warn", disarmed: "bad", stopping: "warn", starting: "dim", guarding: "warn" };
const sum = (list) => list.reduce((total, x) => total + (Number(x) || 0), 0);

export function header(bot, journal) {
  const status = bot.status;
  const state = bot.connected ? status.state : bot.has_socket ? "bot away" : "journal only";
  const halted = bot.connected && status.halted;
  put($("state"), halted ? `${state} · halted` : state);
  level($("state"), halted ? "bad" : bot.connected ? (LEVELS[state] ?? "dim") : bot.has_socket ? "bad" : "dim");
  const simulated = status?.simulated ?? journal?.run?.simulated;
  show($("money"), simulated !== undefined);
  const mode = status?.mode ?? journal?.run?.mode ?? "";
  const words = simulated ? "simulated" : mode === "live" ? "REAL MONEY" : `${mode}: no money`;
  put($("money"), words);
  level($("money"), words === "REAL MONEY" ? "bad" : "dim");
  const run = status?.run_id ?? journal?.run?.run_id ?? "";
  put($("runfact"), `${mode} ${run}${bot.connected ? ` · up ${lasted(status.uptime_s)}` : ""}`);
}

export function kpis(bot, journal) {
  const status = bot.status;
  const run = journal?.run;
  const live = bot.connected;
  const pairs = status?.pairs ?? [];
  const delta = sum(pairs.map((p) => p.delta_usd));
  const exposed = pairs.filter((p) => Math.abs(Number(p.delta)) >= Number(p.lot)).length;
  const doubt = live ? sum(pairs.map((p) => p.trade?.in_doubt)) : run?.in_doubt;
  const captured = run?.detected_bps?.mean ? (100 * run.executed_bps.mean) / run.detected_bps.mean : null;
  const items = [
    ["net delta, USD", live ? { text: signed(delta, 2), level: exposed ? "bad" : "good" } : "–", exposed ? `${exposed} of ${pairs.length} pairs exposed` : "no pair over one lot"],
    ["PnL of the run", { text: usdSigned(run?.pnl_usd), level: goodBad(run?.pnl_usd) }, "after fees, with funding"],
    ["fees", usd(run?.fees_usd), "paid so far"],
    ["funding", usdSigned(run?.funding_usd), "received, as far as told"],
    ["round trips", plain(run?.round_trips), `${run?.open_trades ?? 0} open`],
    ["captured", captured === null ? "–" : `${fixed(captured, 0)} %`, `${bps(run?.executed_bps?.mean)} of ${bps(run?.detected_bps?.mean)} bps`],
    ["in doubt", { text: plain(doubt), level: doubt ? "bad" : "" }, "orders"],
    ["one leg alone", ms(run?.unhedged_ms_max), "at the longest"],
  ];
  keyed(
    $("kpis"),
    items,
    ([name]) => name,
    ([name]) => el("div", {}, el("dt", {}, name), el("dd"), el("dd", { class: "sub" })),
    (node, [, value, note]) => {
      cells([node.children[1]], [value]);
      put(node.children[2], live || !["net delta, USD"].includes(node.dataset.key) ? note : "not known now");
    },
  );
}

export function pairs(list, chosen, choose) {
  show($("pairs-empty"), !list.length);
  keyed(
    $("pairs"),
    list,
    (pair) => pair.id,
    (pair) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, el("button", { type: "button", class: "row", onclick: () => choose(pair.id) }, pair.id)),
        el("td", {}, el("span", { class: "badge" })),
        el("td", { class: "n" }),
        el("td", { class: "n" }),
        el("td", { class: "n dim" }),
        el("td", { class: "gaugecol" }, el("div", { class: "gauge", "aria-hidden": "true" }, el("i"), el("b"))),
        el("td"),
        el("td"),
        el("td", { class: "dim" }),
      ),
    (row, pair) => {
      const at = row.children;
      const trade = pair.trade;
      const exposed = Math.abs(Number(pair.delta)) >= Number(pair.lot);
      row.dataset.chosen = pair.id === chosen;
      at[0].firstChild.setAttribute("aria-pressed", pair.id === chosen);
      const busy = !["watching", "holding"].includes(pair.state);
      cells([at[1].firstChild], [{ text: pair.state, level: pair.state === "stuck" ? "bad" : busy ? "warn" : trade ? "good" : "dim" }]);
      const closing = trade ? pair.closing_spread_bps : null;
      cells(
        [at[2], at[3], at[4], at[6], at[7], at[8]],
        [
          { text: `${signed(pair.delta_usd, 2)} USD`, level: exposed ? "bad" : "", title: `${plain(pair.delta)} of a lot of ${pair.lot}` },
          trade ? `closing costs ${bps(closing)}` : bps(pair.edge_bps),
          trade ? `close at ${bps(pair.thresholds.exit)}` : bps(pair.thresholds.entry),
          Object.entries(pair.position).map(([venue, size]) => `${venue} ${plain(size)}`).join("   "),
          trade
            ? `bought ${trade.buy}, ${trade.size}, at ${bps(trade.entry_spread_bps)} bps, ${lasted(trade.open_s)}` +
              (pair.layers > 1 ? `, ${pair.layers} layers` : "") +
              (trade.in_doubt ? `, ${trade.in_doubt} in doubt` : "") +
              (trade.unhedged_ms ? `, one leg alone ${ms(trade.unhedged_ms)}` : "")
            : "none",
          pair.entries_on === false ? "entries off" : pair.last_refusal || "",
        ],
      );
      gauge(at[5].firstChild, trade ? closing : pair.edge_bps, trade ? pair.thresholds.exit : pair.thresholds.entry);
    },
  );
}

const GAUGE_BPS = 20;
function gauge(node, value, threshold) {
  const share = (v) => `${Math.min(100, Math.max(0, ((v - threshold) / (2 * GAUGE_BPS) + 0.5) * 100))}%`;
  node.hidden = value === null || value === undefined || threshold === undefined;
  if (!node.hidden) node.firstChild.style.left = share(value);
}

export function books(pair) {
  const list = pair ? Object.entries(pair.books) : [];
  keyed(
    $("books"),
    list,
    ([venue]) => venue,
    ([venue], at) =>
      el(
        "div",
        { class: "book" },
        el("h3", {}, el("span", { class: "swatch" }), `${venue} `, el("span", { class: "dim" })),
        el(
          "table",
          {},
          el("caption", { class: "visually-hidden" }, `Best prices of ${venue}, asks above bids`),
          el("tbody", { class: "asks" }),
          el("tbody", { class: "bids" }),
        ),
        el("p", { class: "small dim" }),
      ),
    (node, [venue, book]) => {
      node.dataset.leg = list.findIndex(([name]) => name === venue) ? "b" : "a";
      put(node.querySelector("h3 .dim"), `${book.symbol ?? ""} ${book.valid ? ms(book.age_ms) + " old" : ""}`);
      const most = Math.max(1, ...(book.bids_e8 ?? []).concat(book.asks_e8 ?? []).map(([, size]) => size));
      ladder(node.querySelector(".asks"), [...(book.asks_e8 ?? [])].reverse(), most);
      ladder(node.querySelector(".bids"), book.bids_e8 ?? [], most);
      const market = pair.markets?.[venue];
      const words = book.valid
        ? market
          ? `mark ${plain(market.mark)}, funding ${signed(market.funding_bps_per_hour, 3)} bps/h, ${market.status.toLowerCase()}`
          : ""
        : `no book: ${book.why_invalid}`;
      put(node.lastChild, words);
      level(node.lastChild, book.valid ? "" : "bad");
    },
  );
}

function ladder(body, levels, most) {
  while (body.rows.length < levels.length) body.append(el("tr", {}, el("td", { class: "n" }), el("td", { class: "n" }, el("span"), el("i"))));
  while (body.rows.length > levels.length) body.lastChild.remove();
  levels.forEach(([price, size], i) => {
    const [left, right] = body.rows[i].cells;
    put(left, fixed(price / 1e8, price < 1e11 ? 4 : 2));
    put(right.firstChild, fixed(size / 1e8, 4));
    right.lastChild.style.width = `${(size / most) * 100}%`;
  });
}

export function loop(told) {
  const words = told?.lag?.n ? `The bot's loop came late by ${us(told.lag.p50)} (p50), ${us(told.lag.p99)} (p99), ${us(told.lag.max)} at most; the collector paused it ${us(told.gc_pauses?.max)} at most.` : "";
  put($("loop-words"), words);
}

export function limits(told) {
  const items = told
    ? [
        ["orders in a minute", told.orders_per_minute, told.orders_per_minute_max, fixed(told.orders_per_minute, 0)],
        ["lost today, USD", Math.max(0, Number(told.lost_today_usd)), Number(told.daily_loss_max_usd), usd(Math.max(0, told.lost_today_usd))],
        ["under the peak, USD", Number(told.drawdown_usd), Number(told.drawdown_max_usd), usd(told.drawdown_usd)],
        ["pairs open", told.open_pairs, told.open_pairs_max, fixed(told.open_pairs, 0), true],
      ]
    : [];
  meters($("limits"), items);
}

// items: [name, used, most, text of used, whether being at the limit is nothing special]
function meters(host, items) {
  keyed(
    host,
    items,
    ([name]) => name,
    ([name]) => el("div", { class: "meter" }, el("dt", {}, name), el("dd", {}, el("span"), el("div", { class: "bar", "aria-hidden": "true" }, el("i")))),
    (node, [, used, most, text, calm]) => {
      const share = most > 0 ? used / most : 0;
      const [words, bar] = node.lastChild.children;
      put(words, `${text} of ${fixed(most, 0)}`);
      bar.firstChild.style.width = `${Math.min(100, share * 100)}%`;
      level(bar, calm ? "" : share >= 1 ? "bad" : share >= 0.7 ? "warn" : "");
    },
  );
}

export function venues(list, pairsTold) {
  keyed(
    $("venues"),
    Object.entries(list ?? {}),
    ([name]) => name,
    ([name]) =>
      el(
        "article",
        { class: "venue", "aria-label": name },
        el("h3", {}, el("span", { class: "swatch" }), `${name} `, el("span", { class: "badge" })),
        el("ul", { class: "links" }),
        el("dl", { class: "rowlist" }),
        el("dl", { class: "meters" }),
      ),
    (node, [name, venue]) => {
      node.dataset.leg = Object.keys(pairsTold[0]?.books ?? {}).indexOf(name) === 1 ? "b" : "a";
      cells([node.querySelector(".badge")], [{ text: venue.ready ? "ready" : "not ready", level: venue.ready ? "good" : "bad" }]);
      keyed(
        node.querySelector(".links"),
        Object.entries(venue.links ?? {}),
        ([link]) => link,
        () => el("li"),
        (item, [link, up]) => {
          const again = venue.reconnects?.[link] ?? 0;
          put(item, `${up ? "●" : "○"} ${link} ${up ? "up" : "DOWN"}${again ? `, ${again} reconnect${again > 1 ? "s" : ""}` : ""}`);
          level(item, up ? "good" : "bad");
        },
      );
      keyed(
        node.querySelector(".rowlist"),
        facts(venue),
        ([label]) => label,
        ([label]) => el("div", {}, el("dt", {}, label), el("dd")),
        (item, [, value]) => cells([item.lastChild], [value]),
      );
      // Of each budget the window that has least left; all of them are in the tooltip.
      meters(node.querySelector(".meters"), budgets(venue.budgets ?? []));
    },
  );
}

function facts(venue) {
  const ages = Object.entries(venue.feed_age_ms ?? {});
  const lost = sum(Object.values(venue.book_breaks ?? {}));
  const clock = venue.clock ?? {};
  const refused = sum((venue.budgets ?? []).filter((b, i, all) => all.findIndex((c) => c.name === b.name) === i).map((b) => b.refused));
  const rows = ages.map(([symbol, age]) => [
    `feed age ${symbol}`,
    { text: `${ms(age)} of ${ms(venue.feed_age_ms_max)}`, level: age === null || age > venue.feed_age_ms_max ? "warn" : "" },
  ]);
  rows.push(["books lost (gaps, links, bad frames)", { text: fixed(lost, 0), level: lost ? "warn" : "" }]);
  const known = clock.offset_ms !== undefined && clock.offset_ms !== null;
  rows.push([
    "our clock against its",
    { text: known ? `${signed(clock.offset_ms, 1)} ms ± ${fixed(clock.uncertainty_ms, 1)}` : "not measured", level: clock.blocks ? "bad" : "", title: clock.blocks ?? "" },
  ]);
  rows.push(["orders sent", fixed(venue.orders, 0)]);
  if (!venue.budgets?.length) rows.push(["rate budgets", "not counted for this venue"]);
  else rows.push(["refused for the rate", { text: fixed(refused, 0), level: refused ? "bad" : "" }]);
  if (venue.equity_usd) rows.push(["account: equity / free", `${fixed(venue.equity_usd)} / ${fixed(venue.free_usd)}`]);
  return rows;
}

function budgets(list) {
  const tightest = new Map();
  for (const budget of list) {
    const known = tightest.get(budget.name);
    if (!known || budget.left / budget.size < known.left / known.size) tightest.set(budget.name, budget);
  }
  return [...tightest.values()].map((b) => [`${b.name} in ${b.period_s < 120 ? `${b.period_s} s` : lasted(b.period_s)}`, b.size - b.left, b.size, fixed(b.size - b.left, 0)]);
}
