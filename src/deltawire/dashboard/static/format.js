// Figures as a person reads them. A missing one is an en dash; minus is the real sign, so that columns line up.

const MINUS = "−";
const isNumber = (x) => x !== null && x !== undefined && x !== "" && Number.isFinite(Number(x));

export function fixed(x, places = 2) {
  if (!isNumber(x)) return "–";
  const n = Number(x);
  const text = Math.abs(n).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  return n < 0 && Number(text.replaceAll(",", "")) !== 0 ? MINUS + text : text;
}

export function signed(x, places = 2) {
  const text = fixed(x, places);
  return isNumber(x) && Number(x) > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

export const bps = (x) => signed(x, 2);

// Money to a cent, small sums to a hundredth of one.
export const usd = (x) => fixed(x, isNumber(x) && Math.abs(Number(x)) < 10 ? 4 : 2);
export const usdSigned = (x) => signed(x, isNumber(x) && Math.abs(Number(x)) < 10 ? 4 : 2);

export const plain = (x) => (x === null || x === undefined || x === "" ? "–" : String(x).replace(/^-/, MINUS));

export function us(x) {
  if (!isNumber(x)) return "–";
  const n = Number(x);
  if (n < 1) return n <= 0 ? "0" : "<1 µs";
  if (n < 1000) return `${n.toFixed(0)} µs`;
  if (n < 1e6) return `${(n / 1e3).toFixed(n < 1e4 ? 2 : 1)} ms`;
  return `${(n / 1e6).toFixed(2)} s`;
}

export const ms = (x) => (isNumber(x) ? us(Number(x) * 1e3) : "–");

export function lasted(seconds) {
  if (!isNumber(seconds)) return "–";
  const s = Math.max(0, Number(seconds));
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 120) return `${s.toFixed(0)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });

export function clock(unixS) {
  if (!isNumber(unixS)) return "–";
  const at = new Date(unixS * 1000);
  const far = Math.abs(Date.now() - at) > 20 * 3600e3;
  return far ? `${DAY.format(at)} ${TIME.format(at)}` : TIME.format(at);
}

export const goodBad = (x) => (!isNumber(x) || Number(x) === 0 ? "" : Number(x) > 0 ? "good" : "bad");
