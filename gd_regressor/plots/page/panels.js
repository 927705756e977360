// The four pictures and the curves over the sliders. Each function takes the whole scene:
// {data, view, descent, state, here, facts, id}, draws into the given width and returns {layers, caption}:
// the layers of a picture, of which the first change least, and what is said below it.

"use strict";

const SMALLEST_SHARE = 1e-16; // of the first loss: below it a loss is rounding
const HIGHEST_SHARE = 30; // times the first loss: the view of a divergence ends there
const ROUNDING = 1e-9; // of the width of a contour: a start nearer to the minimum is there
const MOST_BARS = 12;
const POINTS = 40; // of the curve over a slider
const LEVELS = [0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2.2, 3.2]; // of the loss at the start

function boxOf(width, height, left) {
  return { left, top: 26, right: width - 16, bottom: height - 44 };
}

// Whole numbers from 0 to last: all of them, or `most` spread evenly
function spread(last, most = 200) {
  const step = Math.max(last / most, 1);
  const ks = [];
  for (let k = 0; k < last; k += step) ks.push(Math.round(k));
  ks.push(last);
  return ks;
}

function lossPanel(scene, width, height) {
  const { state, descent, here, facts, data, id } = scene;
  const above = state.loss === "above";
  const base = above ? 0 : descent.minimum;
  const last = roundUp(Math.max(1.5 * state.k, 10));
  const ks = spread(last);
  const loss = (k) => base + here.above(k);
  const range = lossRange(ks.map(loss), loss(0), above ? 0 : base);

  const box = boxOf(width, height, 62);
  const x = linearScale(0, last, box.left, box.right);
  const y = logScale(range.low, range.high, box.bottom, box.top);
  const curve = (value, from, to, className) => {
    const inner = ks.filter((k) => k > from && k < to);
    return line(
      [from, ...inner, to].map((k) => [x(k), y(value(k))]),
      className,
    );
  };
  const parts = descent.modes.map(
    (mode, i) => (k) => (mode.residual * here.moves[i].left(k)[0]) ** 2,
  );
  const others =
    curve((k) => base + descent.bestRun.above(k), 0, last, "best") +
    curve((k) => base + descent.heavyRun.above(k), 0, last, "heavy");
  const drawn = [
    ...(above ? parts.map((part) => curve(part, 0, last, "part")) : []),
    curve(loss, state.k, last, "here future"),
    curve(loss, 0, state.k, "here"),
    dot(x(state.k), y(loss(state.k)), 5, "now"),
  ];
  const marks = range.floor ? floorMark(base, box, y) : "";
  const end = Math.min(facts.stops, facts.diverges);
  const word = end === facts.stops ? "stops" : "diverged";
  const stop = end <= last ? endMark(x(end), y(loss(end)), `${word} after ${formatCount(end)}`, box) : "";
  const names = { xName: "updates", yName: above ? "above the minimum" : data.loss };
  const ticks = { xTicks: linearTicks(0, last), yTicks: logTicks(range.low, range.high) };
  const area = `${id}-loss`;
  const frame = axes(box, x, y, { ...ticks, ...names }) + clip(box, area) + marks;
  const caption = lossCaption(scene, formatNumber(loss(state.k)), formatNumber(loss(0)), above);
  const layers = [frame, within(area, others), within(area, drawn.join("")), stop];
  return { layers, legend: lossLegend(descent), caption };
}

// The view of the losses: down to the floor with room for its label, up to what helps to see
function lossRange(losses, begin, base) {
  const positive = losses.filter((f) => f > 0 && Number.isFinite(f));
  const least = Math.max(Math.min(...positive, begin), SMALLEST_SHARE * begin, 1e-300);
  const most = Math.max(Math.min(Math.max(...positive), HIGHEST_SHARE * begin), least);
  const room = Math.max(Math.log(most / least) * 0.08, 0.05);
  const floor = base > SMALLEST_SHARE * begin;
  const low = (floor ? Math.min(least, base) : least) * Math.exp(floor ? -2 * room : -room);
  return { low, high: most * Math.exp(room), floor };
}

function floorMark(base, box, y) {
  const ends = [box.left, box.right].map((x) => [x, y(base)]);
  const place = { anchor: "end", className: "strong" };
  const text = `the minimum, ${formatNumber(base)}`;
  return line(ends, "floor") + label(box.right, y(base) + 15, text, place);
}

function endMark(x, y, text, box) {
  const at = Math.max(Math.min(y, box.bottom), box.top + 40);
  const anchor = x > (box.left + box.right) / 2 ? "end" : "start";
  const tick = `<path class="mark" d="M${bounded(x)},${bounded(at - 22)}v16"/>`;
  return tick + label(x, at - 27, text, { anchor, className: "strong" });
}

function lossLegend({ best, heavy }) {
  const rate = formatNumber(heavy.rate);
  const keys = {
    here: "this descent",
    best: `best guaranteed rate ${formatNumber(best.rate)}`,
    heavy: `best momentum ${formatMomentum(heavy.momentum)}, rate ${rate}`,
  };
  return Object.entries(keys)
    .map(([name, text]) => `<span class="key">${swatch(name)}${escapeText(text)}</span>`)
    .join(" ");
}

// A piece of the curve itself, so that colour and dashes are those of the picture
function swatch(className) {
  const ends = [0, 24].map((x) => [x, 2]);
  return `<svg width="24" height="4" aria-hidden="true">${line(ends, className)}</svg>`;
}

function lossCaption({ state, data }, now, begin, above) {
  const unit = shorten(data.targets[state.target], 30);
  const what = above ? "The loss is above its minimum by" : `The ${data.loss} is`;
  return `${what} ${now} (${unit} squared) after ${updates(state.k)}; it began at ${begin}.`;
}

// The steepest and the flattest direction that the start has anything to do in
function extremes(descent) {
  const largest = Math.max(...descent.modes.map((mode) => Math.abs(mode.residual)), 0);
  const moving = descent.modes.filter(
    (mode) => mode.curvature > 0 && Math.abs(mode.residual) > 1e-9 * largest,
  );
  const order = moving.sort((a, b) => b.curvature - a.curvature);
  return order.length > 1 ? [order[0], order[order.length - 1]] : null;
}

function planePanel(scene, width, height) {
  const { state, descent } = scene;
  if (state.plane !== "directions") {
    const pair = state.plane.split(",").map(Number);
    return coefficientPlane(scene, pair, width, height);
  }
  const pair = extremes(descent);
  if (!pair) {
    const text = "The start is at its minimum in all directions but one at most: nothing to draw.";
    return { layers: [], caption: text };
  }
  return directionPlane(scene, pair, width, height);
}

// In units of the start: it lies at (1, 1), the minimum at (0, 0), and contours are ellipses
function directionPlane(scene, [steep, flat], width, height) {
  const { state, here } = scene;
  const moves = [steep, flat].map((mode) => shrinking(here.rate * mode.curvature, here.momentum));
  const at = (k) => moves.map((move) => move.left(k)[0]);
  const a = steep.residual ** 2;
  const b = flat.residual ** 2;
  const ring = (level) => (turn) => [
    Math.sqrt((level * (a + b)) / a) * Math.cos(turn),
    Math.sqrt((level * (a + b)) / b) * Math.sin(turn),
  ];
  const window = { low: [-1.25, -1.25], high: [1.25, 1.25] };
  const names = [`steepest direction (${steep.label})`, `flattest (${flat.label})`];
  const shrink = (mode) => formatNumber(1 - state.rate * mode.curvature);
  const caption =
    "What is left of the start along the steepest and the flattest direction. " +
    (state.momentum
      ? "With momentum each swings about its minimum on its own."
      : `An update multiplies them by ${shrink(steep)} and ${shrink(flat)}.`);
  const layers = drawPlane(scene, { at, ring, window, names, minimum: [0, 0] }, width, height);
  return { layers, caption };
}

// Two coefficients, the others at their best: contours of delta' S delta / 2, where S is the inverse
// of the block of the Hessian's inverse that belongs to the two
function coefficientPlane(scene, [i, j], width, height) {
  const { state, descent, here, data } = scene;
  const minimum = minimiser(descent);
  const at = (k) => {
    const theta = coefficients(descent, here, k);
    return [theta[i], theta[j]];
  };
  const least = 1e-14 * descent.curvature;
  const block = [0, 0, 0]; // of the inverse: ii, ij, jj
  for (const { curvature, vector } of descent.modes) {
    const c = Math.max(curvature, least);
    block[0] += (vector[i] * vector[i]) / c;
    block[1] += (vector[i] * vector[j]) / c;
    block[2] += (vector[j] * vector[j]) / c;
  }
  // delta = L (cos, sin) sqrt(2 F), with L L' = the block, runs round the contour of F
  const l11 = Math.sqrt(block[0]);
  const l21 = block[1] / l11;
  const l22 = Math.sqrt(Math.max(block[2] - l21 * l21, 0));
  const begin = here.above(0);
  const ring = (level) => (turn) => {
    const size = Math.sqrt(2 * level * begin);
    return [
      minimum[i] + size * l11 * Math.cos(turn),
      minimum[j] + size * (l21 * Math.cos(turn) + l22 * Math.sin(turn)),
    ];
  };
  const centre = [minimum[i], minimum[j]];
  const start = at(0);
  const radius = [l11, Math.hypot(l21, l22)].map((l, side) => {
    const widest = l * Math.sqrt(2 * begin);
    const from = Math.abs(start[side] - centre[side]);
    const way = from > ROUNDING * widest ? from : 0; // else the start is at its best
    return Math.max(Math.min(widest, way > 0 ? 2.1 * way : widest), 1.2 * way) || 1;
  });
  const inner = {
    low: centre.map((c, side) => c - radius[side]),
    high: centre.map((c, side) => c + radius[side]),
  };
  const window = widened(inner, walked(at, state.k, inner));
  const names = [i, j].map((c) => data.parameters[c]);
  const others =
    data.parameters.length > 2 ? " The contours have the other coefficients at their best." : "";
  const caption = `Contours of the loss over two coefficients; the axes have different units.${others}`;
  const layers = drawPlane(scene, { at, ring, window, names, minimum: centre }, width, height);
  return { layers, caption };
}

// The window grows to what it holds of a path, but to no more than twice its size
function widened({ low, high }, points) {
  const bounds = (side, sign) => {
    const centre = (low[side] + high[side]) / 2;
    const reach = (high[side] - low[side]) / 2;
    const far = Math.max(...points.map((point) => sign * (point[side] - centre)), reach);
    return centre + sign * Math.min(1.05 * far, 2 * reach);
  };
  return { low: [bounds(0, -1), bounds(1, -1)], high: [bounds(0, 1), bounds(1, 1)] };
}

function drawPlane({ state, id }, { at, ring, window, names, minimum }, width, height) {
  const box = boxOf(width, height, 62);
  const x = linearScale(window.low[0], window.high[0], box.left, box.right);
  const y = linearScale(window.low[1], window.high[1], box.bottom, box.top);
  const place = ([u, v]) => [x(u), y(v)];
  const turns = spread(90).map((step) => (step / 90) * 2 * Math.PI);
  const contours = LEVELS.map((level) => line(turns.map(ring(level)).map(place), "contour"));
  const path = walked(at, state.k, window).map(place);
  const thin = path.length > 3 && zigzags(path) ? "zigzag" : "";
  const steps = path.length <= 100 ? dots(path, "step") : "";
  const now = path[path.length - 1];
  const start = place(at(0));
  const least = place(minimum);
  const cross = `<path class="least" d="M${bounded(least[0] - 6)},${bounded(least[1])}h12m-6,-6v12"/>`;
  const way =
    line(path, `here ${thin}`) + steps + dot(...start, 5, "start") + dot(...now, 5, "now") + cross;
  const ticks = {
    xTicks: linearTicks(window.low[0], window.high[0]),
    yTicks: linearTicks(window.low[1], window.high[1]),
  };
  const side = start[0] > (box.left + box.right) / 2 ? "end" : "start";
  const frame = axes(box, x, y, { ...ticks, xName: names[0], yName: names[1] });
  const words =
    label(start[0], Math.max(start[1] - 10, box.top + 10), "start", {
      anchor: side,
      className: "strong",
    }) +
    label(least[0] + 9, least[1] + 16, "minimum", { className: "strong" });
  const name = `${id}-plane`;
  return [frame + clip(box, name), within(name, contours.join("")), within(name, way), words];
}

// The iterates up to k that lie in or near the window, at most some hundreds of them
function walked(at, k, { low, high }) {
  const points = [];
  // Early updates move most, so the later ones are spread ever wider
  const ks = k <= 300 ? spread(k, 300) : spread(300, 300).map((i) => walkedIndex(i, k));
  for (const step of new Set(ks)) {
    const point = at(step);
    points.push(point);
    const reach = point.map((c, s) => Math.abs(2 * c - low[s] - high[s]) / (high[s] - low[s]));
    if (!(Math.max(...reach) <= 3.2)) break;
  }
  return points;
}

function walkedIndex(i, k) {
  return i <= 60 ? i : Math.round(60 * (k / 60) ** ((i - 60) / 240));
}

function zigzags(points) {
  let turns = 0;
  for (let i = 2; i < points.length; i++) {
    const [a, b, c] = [points[i - 2], points[i - 1], points[i]];
    if ((b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]) < 0) turns++;
  }
  return turns > points.length / 3;
}

function barsPanel(scene, width, height) {
  const { state, descent, here } = scene;
  const left = (mode) => here.moves[descent.modes.indexOf(mode)].left(state.k)[0];
  const shown = barsShown(descent);
  const narrow = width < 480;
  const box = { left: narrow ? 6 : 200, top: 12, right: width - (narrow ? 66 : 124), bottom: height - 44 };
  const x = linearScale(0, 1, box.left, box.right);
  const pitch = Math.min((box.bottom - box.top) / Math.max(shown.length, 1), 52);
  const thick = Math.max(Math.min(pitch * (narrow ? 0.42 : 0.62), 22), 4);
  const [names, bars] = [[], []];
  shown.forEach((mode, index) => {
    const top = box.top + index * pitch + (narrow ? 16 : (pitch - thick) / 2);
    const place = { x, top, thick, box, narrow, width };
    names.push(barName(mode, place));
    bars.push(barOf(left(mode), place));
  });
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    const place = { anchor: tick === 0 && narrow ? "start" : "middle" };
    names.push(label(x(tick), box.bottom + 18, `${100 * tick} %`, place));
  }
  const layers = [names.join(""), bars.join("")];
  return { layers, caption: barsCaption(scene, shown.length, left) };
}

// Where there are many directions, those with the largest shares of the first loss
function barsShown(descent) {
  const steepFirst = (a, b) => b.curvature - a.curvature;
  const largest = [...descent.modes].sort((a, b) => b.residual ** 2 - a.residual ** 2);
  return largest.slice(0, MOST_BARS).sort(steepFirst);
}

function barFrame({ top, thick, box }) {
  return `x="${box.left}" y="${bounded(top)}" height="${bounded(thick)}"`;
}

// What does not change: the name of the direction, its curvature, and how long a bar can be
function barName(mode, place) {
  const { top, thick, box, narrow, width } = place;
  const full = bounded(box.right - box.left);
  const track = `<rect class="track" ${barFrame(place)} width="${full}"/>`;
  if (narrow) return track + label(box.left, top - 4, shorten(mode.label, Math.floor(width / 9)));
  const at = top + thick / 2 + 4;
  const curvature = `λ ${formatCurvature(mode.curvature)}`;
  return (
    track +
    label(box.left - 7, at, shorten(mode.label, 28), { anchor: "end" }) +
    label(width - 2, at, curvature, { anchor: "end" })
  );
}

function barOf(left, place) {
  const { x, top, thick, box } = place;
  const size = Math.min(Math.abs(left), 1);
  const grows = Math.abs(left) > 1;
  const kind = grows ? "grows" : left < 0 ? "hollow" : "";
  const percent = grows
    ? `× ${formatNumber(Math.abs(left), 2)}`
    : size < 0.0005
      ? "< 0.1 %"
      : `${formatNumber(100 * size, 2)} %`;
  const value = label(box.right + 6, top + thick / 2 + 4, percent, { className: "strong" });
  const long = bounded(x(size) - box.left);
  return `<rect class="bar ${kind}" ${barFrame(place)} width="${long}"/>` + value;
}

function formatCurvature(c) {
  return c >= 1e4 && c < 1e6 ? formatNumber(c / 1e4, 2) + "·10⁴" : formatNumber(c, 2);
}

function barsCaption({ descent }, shown, left) {
  const share = (mode) => (mode.residual * left(mode)) ** 2;
  const sum = descent.modes.reduce((total, mode) => total + share(mode), 0);
  const most = descent.modes.reduce((a, b) => (share(b) > share(a) ? b : a), descent.modes[0]);
  const parts = ["The steepest direction is on top; λ is its curvature."];
  if (shown < descent.modes.length) {
    parts.push(
      `The ${shown} of ${descent.modes.length} directions with most of the first loss are shown.`,
    );
  }
  parts.push("A hollow bar is on the other side of the valley.");
  if (sum > 0 && Number.isFinite(sum)) {
    parts.push(`The loss above the minimum is now mostly ${shorten(most.label, 60)}.`);
  }
  return parts.join(" ");
}

function fitPanel(scene, width, height) {
  const { state, data } = scene;
  const column = state.fit === "predicted" ? null : Number(state.fit);
  if (!data.sample.X.length) {
    return { layers: [], caption: "This page holds no rows of the table, so there is nothing to draw." };
  }
  return column === null
    ? predictedPanel(scene, width, height)
    : linePanel(scene, column, width, height);
}

// The coefficients of the columns as they are, and what is added to them
function rawModel({ data, state }, theta) {
  const d = data.columns.length;
  const b = data.intercept ? theta[d] : 0;
  if (state.columns === "raw") return [...theta.slice(0, d), b];
  const w = data.scales.map((scale, j) => theta[j] / scale);
  return [...w, b - w.reduce((sum, value, j) => sum + value * data.means[j], 0)];
}

function modelAt(scene, k) {
  return rawModel(scene, coefficients(scene.descent, scene.here, k));
}

function predict(model, row) {
  return row.reduce((sum, value, j) => sum + value * model[j], model[row.length]);
}

function rangeOf(values, room = 0.05) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const more = (high - low || Math.abs(high) || 1) * room;
  return [low - more, high + more];
}

// Of the loss a ridge is no part of what the fit leaves
function rSquared({ descent, here, state }) {
  const theta = coefficients(descent, here, state.k);
  const held = descent.ridge.reduce((sum, l2, j) => sum + l2 * theta[j] ** 2, 0);
  return descent.centred > 0
    ? formatNumber(1 - (here.loss(state.k) - held) / descent.centred)
    : "not defined, for y is constant";
}

function predictedPanel(scene, width, height) {
  const { data, state, id } = scene;
  const model = modelAt(scene, state.k);
  const truth = data.sample.y.map((row) => row[state.target]);
  const guesses = data.sample.X.map((row) => predict(model, row));
  const [low, high] = rangeOf(truth);
  const box = boxOf(width, height, 62);
  const x = linearScale(low, high, box.left, box.right);
  const y = linearScale(low, high, box.bottom, box.top);
  const ideal = line(
    [
      [x(low), y(low)],
      [x(high), y(high)],
    ],
    "least-squares",
  );
  const points = guesses.map((guess, i) => [x(truth[i]), y(guess)]);
  const name = data.targets[state.target];
  const ticks = linearTicks(low, high);
  const names = { xName: `true ${name}`, yName: `predicted ${name}` };
  const frame = axes(box, x, y, { xTicks: ticks, yTicks: ticks, ...names });
  const out = guesses.filter((guess) => !(guess >= low && guess <= high)).length;
  const beyond = out ? ` ${out} of ${guesses.length} points lie outside the picture.` : "";
  const caption = `A perfect model has every point on the dotted diagonal. R² is ${rSquared(scene)}.${beyond}`;
  const area = `${id}-fit`;
  const still = frame + clip(box, area) + within(area, ideal);
  return { layers: [still, within(area, dots(points, "here-point"))], caption };
}

// One column against y, the others at their means: the line, its earlier selves, least squares
function linePanel(scene, column, width, height) {
  const { data, state, descent, id } = scene;
  const xs = data.sample.X.map((row) => row[column]);
  const ys = data.sample.y.map((row) => row[state.target]);
  const [low, high] = rangeOf(xs);
  const [bottom, top] = rangeOf(ys, 0.1);
  const box = boxOf(width, height, 62);
  const x = linearScale(low, high, box.left, box.right);
  const y = linearScale(bottom, top, box.bottom, box.top);
  const at = (value) => data.means.map((mean, j) => (j === column ? value : mean));
  const ends = (model) => [low, high].map((v) => [x(v), y(predict(model, at(v)))]);
  const earlier = [...new Set([0, 0.02, 0.06, 0.15, 0.4].map((part) => Math.floor(part * state.k)))];
  const model = modelAt(scene, state.k);
  const points = xs.map((value, i) => [x(value), y(ys[i])]);
  const lines =
    earlier.map((k) => line(ends(modelAt(scene, k)), "earlier")).join("") +
    line(ends(rawModel(scene, minimiser(descent))), "least-squares") +
    line(ends(model), "here thick");
  const [xName, yName] = [data.columns[column], data.targets[state.target]];
  const ticks = { xTicks: linearTicks(low, high), yTicks: linearTicks(bottom, top) };
  const name = `${id}-fit`;
  const frame = axes(box, x, y, { ...ticks, xName, yName }) + clip(box, name);
  const layers = [frame + within(name, dots(points, "")), within(name, lines)];
  return { layers, caption: lineCaption(scene, model, column) };
}

function lineCaption(scene, model, column) {
  const { data, state } = scene;
  const [xName, yName] = [data.columns[column], data.targets[state.target]].map((n) =>
    shorten(n, 40),
  );
  const fit = `The dotted line is at the minimum. R² is ${rSquared(scene)}.`;
  if (data.columns.length > 1) {
    return `Slope ${formatNumber(model[column], 4)}, the other columns at their means. ${fit}`;
  }
  const b = model[1];
  const rest = b === 0 ? "" : ` ${b < 0 ? "−" : "+"} ${formatNumber(Math.abs(b), 4)}`;
  return `${yName} = ${formatNumber(model[0], 4)} · ${xName}${rest}. ${fit}`;
}

// The curve over a slider: value(position) for positions in [0, 1], on a log axis. `best` is one more
// position, where it is lowest.
function scent(value, best, width, height) {
  const positions = spread(POINTS).map((i) => i / POINTS);
  if (best > 0 && best < 1) positions.push(best);
  const points = positions.sort((a, b) => a - b).map((u) => [u, value(u)]);
  const finite = points.map(([, v]) => v).filter((v) => v > 0 && Number.isFinite(v));
  if (!finite.length) return "";
  const low = Math.min(...finite);
  const high = Math.max(...finite) * 1.0001;
  const y = logScale(low, high, height - 2, 4);
  const x = linearScale(0, 1, 0, width);
  const drawn = points.map(([u, v]) => [x(u), v > 0 && Number.isFinite(v) ? y(v) : NaN]);
  const solid = drawn.filter(([, v]) => !Number.isNaN(v));
  const area = [...solid, [solid[solid.length - 1][0], height], [solid[0][0], height]];
  return `<path class="area" d="${linePath(area)}Z"/>` + line(drawn, "here scent");
}
