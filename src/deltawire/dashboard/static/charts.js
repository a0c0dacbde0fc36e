// A chart of ours over uPlot: sized by its box, coloured by the theme, redrawn only while it can be seen.

import uPlot from "./vendor/uPlot.esm.js";
import { onTheme } from "./theme.js";

const all = new Set();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  // make(colour): uPlot's options without size. Called again when the theme changes.
  constructor(host, height, make) {
    Object.assign(this, { host, height, make, data: null, plot: null, range: null });
    new ResizeObserver(() => this.resize()).observe(host);
    all.add(this);
  }

  set(data, range = null) {
    this.data = data;
    this.range = range;
    if (document.hidden) return;
    if (!this.plot) this.build();
    else this.plot.setData(data);
  }

  build() {
    this.plot?.destroy();
    this.plot = null;
    const width = Math.floor(this.host.clientWidth);
    if (!this.data || width < 50) return;
    const options = this.make(colour);
    const axis = {
      stroke: colour("--dim"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const [x, y] = options.axes ?? [];
    const series = options.series.map((s) => ({ spanGaps: false, points: { show: false }, ...s }));
    const sync = options.cursor?.sync;
    this.plot = new uPlot(
      {
        legend: { show: false },
        padding: [8, 22, 0, 0], // the last time of the axis is as wide as that
        ...options,
        width,
        height: this.height,
        series: [{}, ...series],
        axes: [
          { ...axis, space: 70, size: 26, values: TIMES, ...x },
          { ...axis, size: 58, ...y },
        ],
        scales: { x: { time: true, range: (_, lo, hi) => this.range ?? [lo, hi] }, ...options.scales },
        cursor: { points: { size: 6 }, drag: { setScale: false, x: false, y: false }, ...(sync ? { sync } : {}) },
      },
      this.data,
      this.host,
    );
  }

  resize() {
    const width = Math.floor(this.host.clientWidth);
    if (!this.plot) this.build();
    else if (width >= 50 && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
  }
}

const TIMES = [
  [3600 * 24, "{D} {MMM}", null, null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
];

onTheme(() => {
  for (const chart of all) chart.build();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const chart of all) if (chart.data) chart.set(chart.data, chart.range);
});

// Horizontal lines with their names, drawn over a finished plot. lines: [{at, text, stroke, dash}].
export function drawLevels(plot, lines) {
  const { ctx, bbox } = plot;
  const dpr = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * dpr}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  for (const { at, text, stroke, dash } of lines) {
    const y = plot.valToPos(at, "y", true);
    ctx.strokeStyle = ctx.fillStyle = stroke;
    ctx.lineWidth = dpr;
    ctx.setLineDash((dash ?? []).map((n) => n * dpr));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillText(text, bbox.left + 6 * dpr, y - 4 * dpr);
  }
  ctx.restore();
}

// A filled triangle where a trade was opened, a hollow one where it was closed, along the lower edge.
export function drawMarks(plot, trades, colour) {
  const { ctx, bbox } = plot;
  const size = 5 * devicePixelRatio;
  const floor = bbox.top + bbox.height - 2;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeStyle = ctx.fillStyle = colour("--text");
  for (const { opened, closed } of trades) {
    for (const [at, up] of [[opened, true], [closed, false]]) {
      const x = at ? plot.valToPos(at, "x", true) : -1;
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const [base, tip] = up ? [floor, floor - 1.7 * size] : [floor - 1.7 * size, floor];
      ctx.beginPath();
      ctx.moveTo(x - size, base);
      ctx.lineTo(x + size, base);
      ctx.lineTo(x, tip);
      ctx.closePath();
      if (up) ctx.fill();
      else ctx.stroke();
    }
  }
  ctx.restore();
}

export { uPlot };
