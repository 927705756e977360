// The three sliders with what they would do, and the listeners of everything that can be moved.

"use strict";

function drawControls(app) {
  const { state, limit, parts, widths } = app;
  const unit = limit(0);
  for (const [key, track] of Object.entries(TRACKS)) {
    const { range, number, note, scent, marks } = parts.tracks[key];
    const position = Math.max(0, Math.min(1, track.position(state[key], unit)));
    range.value = Math.round(1000 * position);
    range.setAttribute("aria-valuetext", formatNumber(state[key], 4));
    if (document.activeElement !== number) number.value = Number(state[key].toPrecision(6));
    const width = widths[key];
    const drawn = scentOf(app, key, width - THUMB);
    write(app, note, drawn.note);
    scent.setAttribute("width", width);
    write(app, scent, `<g transform="translate(${THUMB / 2},0)">${drawn.svg}</g>`);
    marks.setAttribute("width", width);
    write(app, marks, marksOf(app, key, width, unit));
    if (key === "rate") {
      const end = (THUMB / 2 + (width - THUMB) * track.position(app.facts.limit, unit)) / width;
      range.style.setProperty("--limit-at", `${100 * Math.max(0, Math.min(1, end))}%`);
    }
  }
}

// The curve over a slider depends on the other sliders; it is kept until one of these moves
function scentOf(app, key, width) {
  const kept = app.scents[key];
  if (kept && kept.width === width) return kept;
  const { descent, data, state, here, limit } = app;
  const unit = limit(0);
  const needed = (rate, momentum) =>
    Math.max(needsAtMost(descent, run(descent, rate, momentum), data.tol), 1);
  const values = {
    rate: (u) => needed(TRACKS.rate.value(u, unit), state.momentum),
    momentum: (u) => needed(state.rate, TRACKS.momentum.value(u)),
    k: (u) => here.loss(TRACKS.k.value(u)),
  };
  const least = { best: Infinity };
  const value = (u) => {
    const v = values[key](u);
    if (v < least.best) least.best = v;
    return v;
  };
  const best = {
    rate: state.momentum === 0 ? TRACKS.rate.position(descent.fastest.rate, unit) : 0,
    momentum: TRACKS.momentum.position(descent.heavy.momentum),
    k: 0,
  };
  const svg = scent(value, best[key], width, 32);
  const found = Number.isFinite(least.best);
  const note =
    key === "k" ? "loss" : found ? `updates needed, least ${formatNumber(least.best)}` : "";
  app.scents[key] = { width, svg, note };
  return app.scents[key];
}

const MARKED = 0.85; // of the width of a slider: what a mark with more words may take

function marksOf({ descent, facts }, key, width, unit) {
  const track = TRACKS[key];
  const { heavy } = descent;
  const best = `best ${formatMomentum(heavy.momentum)}`;
  const whole = `${best} at rate ${formatNumber(heavy.rate)}`;
  const marks = {
    rate: [
      [facts.limit, `limit ${formatNumber(facts.limit)}`, "limit"],
      [LEAST_SHARE * unit, formatNumber(LEAST_SHARE * unit, 2), ""],
      [0.01 * unit, formatNumber(0.01 * unit, 2), ""],
    ],
    momentum: [
      [heavy.momentum, textWidth(whole) < MARKED * width ? whole : best, "heavy"],
      [0, "0", ""],
      [0.5, "0.5", ""],
      [0.99, "0.99", ""],
    ],
    k: [
      ...(Number.isFinite(facts.stops) ? [[facts.stops, "stops", "best"]] : []),
      ...(Number.isFinite(facts.diverges) ? [[facts.diverges, "diverged", "limit"]] : []),
      [0, "0", ""],
      [1000, "1,000", ""],
      [1e6, "million", ""],
    ],
  }[key];
  const taken = [];
  return marks.map((mark) => markAt(mark, track, width, unit, taken)).join("");
}

function markAt([value, text, className], track, width, unit, taken) {
  const at = THUMB / 2 + (width - THUMB) * track.position(value, unit);
  if (!(at >= 0 && at <= width)) return "";
  const half = textWidth(text) / 2;
  const middle = Math.max(half, Math.min(width - half, at));
  if (taken.some(([low, high]) => middle - half < high + 4 && middle + half > low - 4)) return "";
  taken.push([middle - half, middle + half]);
  return (
    `<path class="axis ${className}" d="M${bounded(at)},0v7"/>` +
    label(middle, 20, text, { anchor: "middle", className: `${className} strong` })
  );
}

function listen(app) {
  const { root } = app;
  for (const key of Object.keys(TRACKS)) listenToTrack(app, key);
  const on = (selector, act) => {
    for (const element of root.querySelectorAll(selector)) {
      element.addEventListener("click", () => act(element.dataset));
    }
  };
  on("button[data-columns]", ({ columns }) => change(app, { columns }));
  on("button[data-loss]", ({ loss }) => change(app, { loss }));
  on("button[data-preset]", ({ preset }) => change(app, presetOf(app, preset)));
  on(".play", () => play(app));
  for (const select of root.querySelectorAll("select")) {
    select.addEventListener("change", () => {
      const key = select.dataset.menu;
      change(app, { [key]: key === "target" ? Number(select.value) : select.value });
    });
  }
  window.addEventListener("hashchange", () => change(app, asked(window.location.hash)));
  let width = null;
  new ResizeObserver(([{ contentRect }]) => {
    const before = width;
    width = contentRect.width;
    if (before === null || before === width) return;
    app.widths = null;
    change(app, {});
  }).observe(root);
}

function listenToTrack(app, key) {
  const { range, number } = app.parts.tracks[key];
  const track = TRACKS[key];
  range.addEventListener("input", (event) => {
    pause(app);
    change(app, { [key]: track.value(Number(event.target.value) / 1000, app.limit(0)) });
  });
  const take = () => {
    const value = Number(number.value.replace(/,/g, "").replace("−", "-"));
    const good = number.value.trim() !== "" && track.allowed(value);
    number.setAttribute("aria-invalid", !good);
    if (good) change(app, { [key]: value });
  };
  number.addEventListener("input", take);
  number.addEventListener("blur", () => {
    number.setAttribute("aria-invalid", false);
    change(app, {});
  });
}

function presetOf({ limit, descent }, preset) {
  const { best, heavy } = descent;
  return {
    small: () => ({ rate: 0.01 * limit(0), momentum: 0 }),
    best: () => ({ rate: best.rate, momentum: 0 }),
    heavy: () => ({ rate: heavy.rate, momentum: heavy.momentum }),
    past: () => ({ rate: 1.05 * limit(0), momentum: 0 }),
  }[preset]();
}

function pause(app) {
  window.cancelAnimationFrame(app.playing);
  app.playing = 0;
  write(app, app.parts.play, PLAY);
}

// From the start to the number of updates now set, or thirty, in some seconds. Who wishes for less
// motion sees some pictures one after the other.
function play(app) {
  if (app.playing) return pause(app);
  const last = TRACKS.k.position(Math.max(app.state.k, 30));
  const begin = window.performance.now();
  write(app, app.parts.play, PAUSE);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const frame = (now) => {
    const passed = Math.min((now - begin) / PLAYED, 1);
    const part = still ? Math.floor(passed * STILLS) / STILLS : passed;
    if (part >= 1) pause(app);
    else app.playing = window.requestAnimationFrame(frame);
    change(app, { k: TRACKS.k.value(part * last) });
  };
  app.playing = window.requestAnimationFrame(frame);
}
