// Numbers, ticks, scales and lines: what every panel draws with. Nothing here knows of descents.

"use strict";

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const FAR_OFF = 1e5; // pixels: a point beyond is drawn there, for SVG has no infinity

function escapeText(text) {
  const codes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (c) => codes[c]);
}

function shorten(text, length) {
  return text.length > length ? text.slice(0, length - 1) + "…" : text;
}

// 5.85·10⁶, 100,000, 0.241, 2.4·10⁻⁵
function formatNumber(x, digits = 3) {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : x < 0 ? "−∞" : "not a number";
  const sign = x < 0 ? "−" : "";
  const [mantissa, exponent] = Math.abs(x)
    .toExponential(digits - 1)
    .split("e")
    .map(Number);
  if (exponent >= 6 || exponent < -3) {
    return sign + (mantissa === 1 ? "" : mantissa + "·") + "10" + superscript(exponent);
  }
  return sign + grouped(Number(Math.abs(x).toPrecision(digits)));
}

// 12,345.6 (toLocaleString gives the same, and takes as long as all else of a redraw)
function grouped(x) {
  const [whole, rest] = String(x).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest ? `${text}.${rest}` : text;
}

function superscript(n) {
  const digits = [...String(Math.abs(n))].map((d) => SUPERSCRIPTS[d]).join("");
  return (n < 0 ? "⁻" : "") + digits;
}

// Numbers near one by their distance to it: 1 − 2.5·10⁻⁵
function formatMomentum(momentum) {
  return momentum > 0.995 ? `1 − ${formatNumber(1 - momentum, 2)}` : formatNumber(momentum, 2);
}

// "1 update", "42 updates"
function updates(k) {
  return `${formatCount(k)} ${k === 1 ? "update" : "updates"}`;
}

function formatCount(k) {
  return Number.isFinite(k) ? grouped(k) : "more than a billion";
}

// About n round numbers within [low, high]
function linearTicks(low, high, n = 5) {
  const rough = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
  if (!(step > 0) || !Number.isFinite(step)) return [];
  const from = Math.ceil(low / step - 1e-9);
  const ticks = [];
  for (let i = from; i * step <= high + 1e-9 * step; i++) ticks.push(i * step);
  return ticks;
}

// 1, 2, 5 of each decade up to three decades; whole decades beyond
function logTicks(low, high, most = 7) {
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const fine = Math.log10(high / low) <= 3;
  const step = fine ? 1 : Math.ceil((to - from) / most);
  const ticks = [];
  for (let e = from; e <= to; e += step) {
    for (const m of fine ? [1, 2, 5] : [1]) {
      const tick = Number(`${m}e${e}`);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return ticks;
}

// The round number at or above x: 1, 2 or 5 times a power of ten
function roundUp(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].find((m) => m * power >= x * (1 - 1e-12)) * power;
}

function linearScale(low, high, from, to) {
  const width = high - low || 1;
  return (x) => from + ((x - low) / width) * (to - from);
}

function logScale(low, high, from, to) {
  const scale = linearScale(Math.log(low), Math.log(high), from, to);
  return (x) => (x > 0 ? scale(Math.log(x)) : NaN);
}

// The d attribute of a line through the points; a point that is not a number interrupts it
function linePath(points) {
  let text = "";
  let pen = "M";
  for (const [x, y] of points) {
    if (Number.isNaN(x) || Number.isNaN(y)) {
      pen = "M";
      continue;
    }
    text += `${pen}${bounded(x)},${bounded(y)}`;
    pen = "L";
  }
  return text;
}

function bounded(pixel) {
  return Math.round(Math.max(-FAR_OFF, Math.min(FAR_OFF, pixel)) * 10) / 10;
}

function line(points, className) {
  return `<path class="line ${className}" d="${linePath(points)}"/>`;
}

function dot(x, y, radius, className) {
  if (Number.isNaN(x) || Number.isNaN(y)) return "";
  return `<circle class="${className}" cx="${bounded(x)}" cy="${bounded(y)}" r="${radius}"/>`;
}

// Many dots as one path of points with round ends: one element is parsed, not hundreds
function dots(points, className) {
  const seen = points.filter(([x, y]) => !Number.isNaN(x) && !Number.isNaN(y));
  const path = seen.map(([x, y]) => `M${bounded(x)},${bounded(y)}h0`).join("");
  return `<path class="dots ${className}" d="${path}"/>`;
}

function label(x, y, text, { anchor = "start", className = "" } = {}) {
  const place = `x="${bounded(x)}" y="${bounded(y)}" text-anchor="${anchor}"`;
  return `<text class="${className}" ${place}>${escapeText(text)}</text>`;
}

// An element of 12-pixel text is about so wide
function textWidth(text) {
  return 6.8 * text.length;
}

// Grid, ticks and the names of both axes around a box {left, top, right, bottom}
function axes(box, x, y, { xTicks, yTicks, xName, yName }) {
  const out = [];
  for (const tick of yTicks) {
    const at = bounded(y(tick));
    if (at < box.top - 1 || at > box.bottom + 1) continue;
    out.push(`<path class="grid" d="M${box.left},${at}H${box.right}"/>`);
    out.push(label(box.left - 6, at + 4, formatNumber(tick), { anchor: "end" }));
  }
  let free = -Infinity; // where the label before ends
  for (const tick of xTicks) {
    const at = bounded(x(tick));
    if (at < box.left - 1 || at > box.right + 1) continue;
    const text = formatNumber(tick);
    const half = textWidth(text) / 2;
    out.push(`<path class="axis" d="M${at},${box.bottom}v4"/>`);
    if (at - half < free || at + half > box.right + 24) continue;
    out.push(label(at, box.bottom + 18, text, { anchor: "middle" }));
    free = at + half + 6;
  }
  out.push(`<path class="axis" d="M${box.left},${box.bottom}H${box.right}"/>`);
  const middle = (box.left + box.right) / 2;
  const fits = Math.floor((box.right - box.left) / 7);
  out.push(label(middle, box.bottom + 36, shorten(xName, fits), { anchor: "middle" }));
  out.push(label(box.left - 4, box.top - 8, shorten(yName, fits)));
  return out.join("");
}

// The box by a name, and what stays within it
function clip(box, id) {
  const size = `width="${box.right - box.left}" height="${box.bottom - box.top}"`;
  return `<clipPath id="${id}"><rect x="${box.left}" y="${box.top}" ${size}/></clipPath>`;
}

function within(id, inside) {
  return `<g clip-path="url(#${id})">${inside}</g>`;
}

// An empty picture of so many layers. What does not change lies in layers of its own, so that it is
// not drawn again.
function picture(width, height, layers) {
  const view = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return `<svg ${view} role="img">${"<g></g>".repeat(layers)}</svg>`;
}
