// The page: its state, its controls, its verdict, and what happens when something is moved.
// explore(root, data) builds an explorer inside the element `root`. The root's data-* attributes say
// what is shown; tests and other scripts read them.

"use strict";

const LEAST_SHARE = 1e-4; // of the limit without momentum: the left end of the rate's track
const MOST_SHARE = 5; // its right end
const MOST_MOMENTUM = 0.999;
const THUMB = 22; // pixels, as in explorer.css
const PLAYED = 4000; // milliseconds
const STILLS = 8; // pictures in that time, where less motion is wished for
const HEIGHT = 290; // pixels, of a picture
const PLAY = '<span aria-hidden="true">▶</span> play';
const PAUSE = '<span aria-hidden="true">❚❚</span> pause';
const PRESETS = {
  small: "too small",
  best: "best rate",
  heavy: "best momentum",
  past: "past the limit",
};

const TRACKS = {
  rate: {
    name: "learning rate",
    position: (rate, unit) =>
      Math.log(rate / (LEAST_SHARE * unit)) / Math.log(MOST_SHARE / LEAST_SHARE),
    value: (u, unit) => LEAST_SHARE * unit * (MOST_SHARE / LEAST_SHARE) ** u,
    allowed: (rate) => rate > 0 && rate < 1e308,
  },
  momentum: {
    name: "momentum",
    position: (momentum) => 1 - Math.sqrt(1 - momentum),
    value: (u) => Math.min(1 - (1 - u) ** 2, MOST_MOMENTUM),
    allowed: (momentum) => momentum >= 0 && momentum < 1,
  },
  k: {
    name: "updates",
    position: (k) => Math.log1p(k) / Math.log1p(MOST_UPDATES),
    value: (u) => Math.round(Math.expm1(u * Math.log1p(MOST_UPDATES))),
    allowed: (k) => Number.isInteger(k) && k >= 0 && k <= MOST_UPDATES,
  },
};

function control(key, id) {
  const name = TRACKS[key].name;
  return `<div class="control" data-track="${key}">
    <label for="${id}-${key}">${name}</label>
    <input class="number" type="text" inputmode="decimal" autocomplete="off"
      aria-label="${name}, as a number">
    <p class="note"></p>
    <svg class="scent" height="32" aria-hidden="true"></svg>
    <input id="${id}-${key}" type="range" min="0" max="1000" step="1">
    <svg class="marks" height="24" aria-hidden="true"></svg>
  </div>`;
}

function toggle(name, choices, label) {
  const buttons = Object.entries(choices).map(
    ([value, text]) =>
      `<button type="button" data-${name}="${value}" aria-pressed="false">${text}</button>`,
  );
  return `<span class="toggle" role="group" aria-label="${label}">${buttons.join("")}</span>`;
}

function menu(name, options, label) {
  const items = options.map(
    ([value, text]) => `<option value="${value}">${escapeText(shorten(text, 48))}</option>`,
  );
  return `<select data-menu="${name}" aria-label="${label}">${items.join("")}</select>`;
}

function panel(key, title, tools, id) {
  return `<section class="panel" data-panel="${key}">
    <header><h2 id="${id}-${key}-title">${title}</h2>${tools}</header>
    <figure role="group" aria-labelledby="${id}-${key}-title"><div class="canvas"></div>
    <figcaption><p class="legend"></p><p class="words"></p></figcaption></figure></section>`;
}

function markup(data, id) {
  const pairs = [];
  data.menu.forEach((i, place) => {
    for (const j of data.menu.slice(place + 1)) {
      pairs.push([`${i},${j}`, `${data.parameters[i]}, ${data.parameters[j]}`]);
    }
  });
  const planes = [["directions", "extreme directions"], ...pairs];
  const inMenu = data.menu.filter((j) => j < data.columns.length);
  const fits = [
    ["predicted", "predicted against true"],
    ...inMenu.map((j) => [j, data.columns[j]]),
  ];
  const losses = { loss: data.loss, above: "above its minimum" };
  const views = { raw: "columns as they are", standardised: "standardised" };
  const presets = Object.entries(PRESETS)
    .map(([key, text]) => `<button type="button" data-preset="${key}">${text}</button>`)
    .join("");
  const targets = data.targets.map((name, t) => [t, name]);
  return `<header class="top"><h1>${escapeText(data.title)}</h1><p>${escapeText(data.subtitle)}</p></header>
    <div class="controls">${Object.keys(TRACKS)
      .map((key) => control(key, id))
      .join("")}</div>
    <div class="row">${toggle("columns", views, "units of the columns")}
      <button type="button" class="play">${PLAY}</button>
      ${targets.length > 1 ? menu("target", targets, "target") : ""}
      <span class="presets" role="group" aria-label="settings to try"><span>try</span>${presets}</span></div>
    <div class="verdict" role="status"></div>
    <div class="panels">${panel("loss", "Loss", toggle("loss", losses, "which loss"), id)}
      ${panel("plane", "The way down", menu("plane", planes, "plane"), id)}
      ${panel("bars", "What is left of each direction", "", id)}
      ${panel("fit", "The fit", menu("fit", fits, "view of the fit"), id)}</div>`;
}

function descentOf(view, t, tol) {
  const target = view.targets[t];
  const modes = view.curvatures.map((curvature, i) => ({
    curvature,
    vector: view.vectors[i],
    label: view.labels[i],
    residual: target.residual[i],
    start: target.start[i],
    slope: target.slope[i],
  }));
  const { ridge } = view;
  const descent = { ...target, modes, ridge, curvature: Math.max(...view.curvatures) };
  descent.bestRun = run(descent, descent.best.rate, 0);
  descent.heavyRun = run(descent, descent.heavy.rate, descent.heavy.momentum);
  descent.bestNeeds = needs(descent, descent.bestRun, tol);
  descent.heavyNeeds = needs(descent, descent.heavyRun, tol);
  return descent;
}

// What the address asks for: #rate=0.1&momentum=0.5&k=60&columns=raw
function asked(hash) {
  const out = {};
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (key in TRACKS && TRACKS[key].allowed(Number(text))) out[key] = Number(text);
    if (key === "columns" && ["raw", "standardised"].includes(text)) out[key] = text;
  }
  return out;
}

function explore(root, data, onChange = () => {}) {
  window.descentExplorers = (window.descentExplorers || 0) + 1;
  const id = `descent-${window.descentExplorers}`;
  root.classList.add("descent-explorer");
  root.innerHTML = markup(data, id);
  const state = {
    target: 0,
    loss: "loss",
    plane: data.parameters.length === 2 ? "0,1" : "directions",
    fit: data.columns.length === 1 ? "0" : "predicted",
    ...data.set,
  };
  const app = { root, data, id, onChange, state, draws: 0, playing: 0, waiting: false };
  app.parts = partsOf(root);
  app.written = new WeakMap();
  choose(app);
  apply(app, asked(window.location.hash));
  followTheme(root);
  listen(app);
  redraw(app);
  return app;
}

// The elements that a redraw writes to. It looks for none.
function partsOf(root) {
  const all = (selector) => [...root.querySelectorAll(selector)];
  const tracks = all(".control").map((element) => {
    const [range, number, note, scent, marks] = [
      'input[type="range"]',
      ".number",
      ".note",
      ".scent",
      ".marks",
    ].map((selector) => element.querySelector(selector));
    return [element.dataset.track, { element, range, number, note, scent, marks }];
  });
  const panels = all(".panel").map((element) => {
    const [title, canvas, legend, words] = ["h2", ".canvas", ".legend", ".words"].map((selector) =>
      element.querySelector(selector),
    );
    const name = title.textContent;
    return [element.dataset.panel, { element, name, canvas, legend, words, frame: "" }];
  });
  return {
    tracks: Object.fromEntries(tracks),
    panels: Object.fromEntries(panels),
    toggles: all(".toggle button"),
    menus: all("select"),
    play: root.querySelector(".play"),
    verdict: root.querySelector(".verdict"),
  };
}

// To ask for a width lays the page out, so all are asked for at once, and only after a resize
function widthsOf({ tracks, panels }) {
  const least = { control: 120, panel: 240 }; // pixels
  const widths = {};
  for (const [key, { element }] of [...Object.entries(tracks), ...Object.entries(panels)]) {
    const room = element.clientWidth - (key in tracks ? 32 : 0);
    widths[key] = Math.max(room, key in tracks ? least.control - 32 : least.panel);
  }
  return widths;
}

// Writes what is not written already, for the browser parses even what it knows
function write({ written }, element, html) {
  if (written.get(element) === html) return;
  written.set(element, html);
  element.innerHTML = html;
}

// The descent of the chosen columns and target, and what holds for all its rates
function choose(app) {
  const { data, state } = app;
  app.view = data.views[state.columns];
  app.descent = descentOf(app.view, state.target, data.tol);
  app.limit = (momentum) => largestStableRate(app.descent, momentum);
  app.scents = {};
  app.here = null;
}

function apply(app, changes) {
  const { state, limit } = app;
  const share = state.rate / limit(state.momentum);
  Object.assign(state, changes);
  if ("columns" in changes || "target" in changes) choose(app);
  // In other units the same rate would only explode: the same share of the limit is kept
  if ("columns" in changes && !("rate" in changes)) state.rate = share * app.limit(state.momentum);
  if ("rate" in changes) app.scents.momentum = null;
  if ("momentum" in changes) app.scents.rate = null;
  if ("rate" in changes || "momentum" in changes) app.here = app.scents.k = null;
}

// Many changes between two frames are drawn once
function change(app, changes) {
  apply(app, changes);
  if (app.waiting) return;
  app.waiting = true;
  window.requestAnimationFrame(() => {
    app.waiting = false;
    redraw(app);
  });
}

function factsOf({ data, descent, here, limit }) {
  const { rate, momentum } = here;
  const stops = stopsAfter(descent, here, data.tol);
  const stable = rate < limit(momentum);
  return {
    stops,
    stable,
    limit: limit(momentum),
    diverges: divergesAfter(descent, here),
    far: Math.cbrt(data.tol), // above it the estimator warns
    needed: needs(descent, here, data.tol),
    above: Number.isFinite(stops) ? here.above(stops) / descent.variance : 0,
  };
}

function redraw(app) {
  const { state, descent, parts } = app;
  if (!app.here) {
    app.here = run(descent, state.rate, state.momentum);
    app.facts = factsOf(app);
  }
  app.widths = app.widths || widthsOf(parts);
  state.k = Math.min(state.k, app.facts.diverges); // the estimator ends there too
  drawControls(app);
  write(app, parts.verdict, verdict(app));
  parts.verdict.dataset.kind = kindOf(app.facts);
  for (const [key, draw] of Object.entries(PANELS)) {
    const width = app.widths[key];
    const height = key === "bars" ? barsHeight(barsShown(descent).length, width) : HEIGHT;
    show(app, parts.panels[key], draw(app, width, height), width, height);
  }
  press(app);
  publish(app);
  app.onChange({ rate: state.rate, momentum: state.momentum, k: state.k });
}

// What a panel has drawn, on the page
function show(app, panel, { layers, legend = "", caption }, width, height) {
  const frame = layers.length ? picture(width, height, layers.length) : "";
  if (frame !== panel.frame) panel.canvas.innerHTML = panel.frame = frame;
  write(app, panel.legend, legend);
  write(app, panel.words, escapeText(caption));
  const svg = panel.canvas.firstElementChild;
  if (!svg) return;
  layers.forEach((layer, i) => write(app, svg.children[i], layer));
  svg.setAttribute("aria-label", `${panel.name}. ${caption}`);
}

function barsHeight(bars, width) {
  return width < 480 ? 60 + 44 * bars : Math.min(60 + 52 * bars, HEIGHT);
}

const PANELS = { loss: lossPanel, plane: planePanel, bars: barsPanel, fit: fitPanel };

function publish(app) {
  const { root, state, descent, here, facts } = app;
  const { rate, momentum, k } = state;
  app.draws += 1;
  const shown = {
    rate,
    momentum,
    k,
    columns: state.columns,
    loss: here.loss(k),
    theta: JSON.stringify(coefficients(descent, here, k)),
    limit: facts.limit,
    stop: Math.min(facts.stops, facts.diverges),
    status: kindOf(facts),
    draws: app.draws,
  };
  for (const [key, value] of Object.entries(shown)) root.dataset[key] = value;
}

function press({ parts, state }) {
  for (const button of parts.toggles) {
    const { columns, loss } = button.dataset;
    const pressed = columns ? columns === state.columns : loss === state.loss;
    button.setAttribute("aria-pressed", pressed);
  }
  for (const select of parts.menus) select.value = state[select.dataset.menu];
}

function kindOf(facts) {
  if (Number.isFinite(facts.diverges)) return "diverges";
  if (!facts.stable) return "never";
  return facts.above > facts.far ? "early" : "converges";
}

function steepestLabel(descent) {
  return descent.modes.reduce((a, b) => (b.curvature > a.curvature ? b : a)).label;
}

function verdict(scene) {
  const { facts, data, descent, state } = scene;
  const tol = formatNumber(data.tol);
  const rule = `when an update changes the loss by no more than tol = ${tol} of the variance`;
  const kind = kindOf(facts);
  const count = updates(facts.stops);
  const sentence = {
    diverges: () =>
      `<b>Diverges</b> along ${escapeText(steepestLabel(descent))}, and is stopped after ` +
      `${updates(facts.diverges)}. The rate is ${formatNumber(state.rate / facts.limit)} times the limit.`,
    never: () =>
      `<b>Does not settle:</b> the rate is not below the limit, and the loss need not fall.`,
    early: () =>
      `<b>Seems to converge in ${count}</b>, ${rule}, ` +
      `<b>but is ${formatNumber(100 * facts.above, 2)} % of the variance above the minimum.</b> ` +
      `To be within tol of the minimum takes ${formatCount(facts.needed)}.`,
    converges: () =>
      Number.isFinite(facts.stops)
        ? `<b>Converges in ${count}</b>, ${rule}. It is within tol of the minimum after ${formatCount(facts.needed)}.`
        : `<b>Needs more than a billion updates.</b>`,
  }[kind]();
  return `<p>${sentence}</p><p class="small">${escapeText(numbers(scene))}</p>`;
}

function numbers({ facts, view, state, descent }) {
  const part = (100 * state.rate) / facts.limit;
  const share = formatNumber(part, part > 90 ? 3 : 2);
  const formula = state.momentum ? "2 (1 + momentum) / L" : "2 / L";
  const { best, fastest, heavy } = descent;
  return (
    `The limit ${formula} is ${formatNumber(facts.limit)}; this rate is ${share} % of it. ` +
    `To be within tol of the minimum, the best guaranteed rate 2 / (L + μ), ${formatNumber(best.rate)}, ` +
    `takes ${updates(descent.bestNeeds)}; the fastest on these data, ${formatNumber(fastest.rate)}, ` +
    `takes ${formatCount(fastest.needs)}; the best momentum, ${formatMomentum(heavy.momentum)} at rate ` +
    `${formatNumber(heavy.rate)}, takes ${formatCount(descent.heavyNeeds)}. ` +
    `The condition number is ${formatNumber(view.condition)}.`
  );
}

// In a frame of the page's own, such as a notebook's, the frame is as high as the page
function growFrame() {
  const frame = window.frameElement;
  if (!frame) return;
  const page = document.documentElement;
  const grow = () => {
    frame.style.height = `${document.body.scrollHeight}px`;
  };
  new ResizeObserver(grow).observe(page);
  grow();
}

// A page that shows this one, or the one around the element, may have a switch for light and dark.
// Sphinx's themes write it on <html>, Jupyter on <body>. Without a switch the system's wish holds.
function followTheme(root) {
  const frame = window.frameElement;
  const { documentElement, body } = frame ? frame.ownerDocument : document;
  const follow = () => {
    const jupyter = { true: "light", false: "dark" }[body.dataset.jpThemeLight];
    const theme = documentElement.dataset.theme || jupyter;
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    if (frame) document.documentElement.style.colorScheme = root.dataset.theme || "";
  };
  const watched = { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light"] };
  const observer = new MutationObserver(follow);
  for (const element of [documentElement, body]) observer.observe(element, watched);
  follow();
}
