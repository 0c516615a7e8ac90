// log p(x), p(z|x), q(z|x) and the three terms of D6, on a grid over the plane of codes.

// 1. The mathematics.

const N = CONTENT.grid.points, R = CONTENT.grid.radius, NODES = N * N, STEP = (2 * R) / (N - 1);
const S = singles(CONTENT.grid.softplus); // Σ log(1 + e^logit) on the nodes
const UNITS = LAST.inputs;
const H = new Float32Array(NODES * UNITS); // h(z) on the nodes
const LOG_2PI = Math.log(2 * Math.PI);
const REACH = 3.2; // q's center stays in it
const NARROW = 0.7 * STEP; // a narrower q would fall between the nodes
const node = (i) => i * STEP - R;
const likelihood = new Float64Array(NODES), joint = new Float64Array(NODES); // logarithms, for the image
let logPx = 0, peak = 0, posterior = { m: [0, 0], s: [1, 1] };

/** h(z) of the nodes, some rows at a time, as a large decoder takes seconds. */
async function prepare() {
  let since = performance.now();
  for (let i = 0, g = 0; i < N; i++) {
    for (let j = 0; j < N; j++, g++) H.set(hiddenOf(DECODER, [node(i), node(j)]), g * UNITS);
    if (performance.now() - since > 50) {
      element("sentence").textContent = `Preparing the plane: ${Math.round((100 * i) / N)}%`;
      await new Promise((done) => setTimeout(done));
      since = performance.now();
    }
  }
}

/** log p(x|z) = (Wᵀx)·h(z) + b·x − S(z) on the nodes, log p(x) as their sum, and the posterior's moments. */
function look(x) {
  const u = new Float64Array(UNITS);
  let constant = 0;
  for (let p = 0; p < PIXELS; p++) {
    if (!x[p]) continue;
    constant += LAST.b[p];
    for (let k = 0; k < UNITS; k++) u[k] += LAST.W[p * UNITS + k];
  }
  peak = -Infinity;
  for (let i = 0, g = 0, h = 0; i < N; i++) {
    for (let j = 0; j < N; j++, g++) {
      let sum = constant - S[g];
      for (let k = 0; k < UNITS; k++, h++) sum += u[k] * H[h];
      likelihood[g] = sum;
      joint[g] = sum - (node(i) ** 2 + node(j) ** 2) / 2 - LOG_2PI;
      if (joint[g] > peak) peak = joint[g];
    }
  }
  const sums = [0, 0, 0, 0, 0];
  for (let i = 0, g = 0; i < N; i++) {
    for (let j = 0; j < N; j++, g++) {
      const p = Math.exp(joint[g] - peak), a = node(i), b = node(j);
      [1, a, b, a * a, b * b].forEach((value, n) => (sums[n] += p * value));
    }
  }
  logPx = peak + Math.log(sums[0]) + 2 * Math.log(STEP);
  const [a, b, aa, bb] = sums.slice(1).map((sum) => sum / sums[0]);
  posterior = { m: [a, b], s: [Math.sqrt(aa - a * a), Math.sqrt(bb - b * b)] };
}

/** A normal density on the nodes of one axis, where it matters: weights that add up to 1, and logarithms. */
function axis(m, s) {
  const from = Math.max(0, Math.ceil((m - 8 * s + R) / STEP)), to = Math.min(N - 1, Math.floor((m + 8 * s + R) / STEP));
  const log = [], weight = [];
  let total = 0;
  for (let i = from; i <= to; i++) {
    const l = -0.5 * ((node(i) - m) / s) ** 2 - Math.log(s) - LOG_2PI / 2, w = Math.exp(l);
    log.push(l);
    weight.push(w);
    total += w;
  }
  return { from, log, weight: weight.map((w) => w / total) };
}

/** The three terms of D6 for q = N(m, diag s²), in nats. */
function terms({ m, s }) {
  const one = axis(m[0], s[0]), two = axis(m[1], s[1]);
  let reconstruction = 0, toJoint = 0;
  for (let i = 0; i < one.log.length; i++) {
    for (let j = 0, g = (one.from + i) * N + two.from; j < two.log.length; j++, g++) {
      const w = one.weight[i] * two.weight[j];
      reconstruction += w * likelihood[g];
      toJoint += w * (one.log[i] + two.log[j] - joint[g]);
    }
  }
  const prior = [0, 1].reduce((sum, d) => sum + (m[d] ** 2 + s[d] ** 2 - 1) / 2 - Math.log(s[d]), 0);
  return { reconstruction, prior, gap: toJoint + logPx, elbo: reconstruction - prior };
}

/** q within the grid: not narrower than its step, and nearly all of it inside. */
function kept({ m, s }) {
  const center = m.map((value) => Math.min(REACH, Math.max(-REACH, value)));
  return { m: center, s: s.map((value, d) => Math.min((R - Math.abs(center[d])) / 4, Math.max(NARROW, value))) };
}

/** Gradient ascent on the bound: q after each step. The bound never looks at the posterior. */
function* ascent(q, steps = 120) {
  let v = [...q.m, ...q.s.map(Math.log)];
  const first = [0, 0, 0, 0], second = [0, 0, 0, 0], as = (v) => kept({ m: v.slice(0, 2), s: v.slice(2).map(Math.exp) });
  for (let t = 1; t <= steps; t++) {
    const rate = 0.06 * (1 + Math.cos((Math.PI * t) / steps));
    v = v.map((value, d) => {
      const moved = (by) => terms(as(v.map((other, n) => (n === d ? other + by : other)))).elbo;
      const slope = (moved(0.005) - moved(-0.005)) / 0.01;
      first[d] = 0.8 * first[d] + 0.2 * slope; // Adam (Kingma & Ba 2015)
      second[d] = 0.95 * second[d] + 0.05 * slope * slope;
      return value + (rate * first[d]) / (1 - 0.8 ** t) / (Math.sqrt(second[d] / (1 - 0.95 ** t)) + 1e-6);
    });
    const inside = as(v);
    v = [...inside.m, ...inside.s.map(Math.log)];
    yield inside;
  }
}

// Draws: ε stays, so that z = m + s ε moves with q.

const POOL = 4096;
const EPSILON = normals(2 * POOL, 7);

function uniform(seed) { // mulberry32
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function normals(n, seed) {
  const draw = uniform(seed);
  return Float64Array.from({ length: n }, () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw()));
}

/** log p(x|z) between the nodes, by cubic interpolation along both axes. */
function between(z1, z2) {
  const a = (z1 + R) / STEP, b = (z2 + R) / STEP;
  const i = Math.min(N - 3, Math.max(1, Math.floor(a))), j = Math.min(N - 3, Math.max(1, Math.floor(b)));
  const f = [-1, 0, 1, 2].map((d) => cubic(b - j, (i + d) * N + j - 1, likelihood));
  return cubic(a - i, 0, f);
}

function cubic(t, at, f) {
  const [p, q, r, s] = [f[at], f[at + 1], f[at + 2], f[at + 3]];
  return q + 0.5 * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
}

function codeOf(n, from, q) {
  const e = [EPSILON[2 * n], EPSILON[2 * n + 1]];
  return from === "prior" ? e : [q.m[0] + q.s[0] * e[0], q.m[1] + q.s[1] * e[1]];
}

/** log w of the whole pool: log p(x, z) − log r(z), with r = q or the prior. */
function logWeights(from, q) {
  const scale = Math.log(q.s[0] * q.s[1]);
  return Float64Array.from({ length: POOL }, (_, n) => {
    const [a, b] = codeOf(n, from, q), value = between(a, b);
    if (from === "prior") return value;
    return value + scale + (EPSILON[2 * n] ** 2 + EPSILON[2 * n + 1] ** 2 - a * a - b * b) / 2;
  });
}

/** For K = 1, 2, 4 … 1024: the mean of log (1/K) Σ w over groups of K draws, and its standard error. */
function bounds(weights) {
  const found = [];
  for (let level = weights, k = 1; k <= 1024; k *= 2) {
    const n = level.length, mean = level.reduce((a, b) => a + b) / n;
    const square = level.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    found.push({ k, mean, error: Math.sqrt(square / (n - 1) / n) });
    const below = level;
    level = Float64Array.from({ length: n / 2 }, (_, i) => {
      const [a, b] = [below[2 * i], below[2 * i + 1]], top = Math.max(a, b);
      return top + Math.log((Math.exp(a - top) + Math.exp(b - top)) / 2);
    });
  }
  return found;
}

// 2. What the reader sees.

const MODES = ["explain", "generate", "edit"];
const state = { image: 0, x: null, q: null, mode: "explain", z: [0, 0], k: 8, from: "q", drop: false, zoom: false, step: 0 };
let priorBounds = [], weights = {}, view = { m: [0, 0], half: REACH }, backdrop = null, trail = [], running = 0, seed = 1;
const number = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

/** A point of the plane, in shares of its width and height, and back. */
const place = (z) => [(z[0] - view.m[0]) / view.half / 2 + 0.5, 0.5 - (z[1] - view.m[1]) / view.half / 2];
const codeAt = ([a, b]) => [view.m[0] + (2 * a - 1) * view.half, view.m[1] + (1 - 2 * b) * view.half];

function setImage(x, image = -1) {
  stop();
  state.x = x;
  state.image = image;
  look(x);
  priorBounds = bounds((weights.prior = logWeights("prior", { m: [0, 0], s: [1, 1] })));
  state.q = kept(encode(x));
  if (state.mode === "edit") state.z = [...state.q.m];
  backdrop = null;
  focusView();
}

function focusView() {
  const wide = Math.max(...posterior.s, ...state.q.s), apart = Math.max(...[0, 1].map((d) => Math.abs(state.q.m[d] - posterior.m[d])));
  const near = state.zoom && state.mode === "explain";
  view = near ? { m: [...posterior.m], half: Math.min(REACH, 4.5 * wide + apart) } : { m: [0, 0], half: REACH };
}

function draw() {
  const { mode } = state, explain = mode === "explain";
  document.body.className = `mode-${mode}${state.drop ? " dropped" : ""}`;
  for (const one of document.querySelectorAll("main .explain")) one.hidden = !explain;
  element("point-part").hidden = explain;
  element("image-part").hidden = mode === "generate";
  element("home").hidden = mode !== "edit";
  for (const name of MODES) element(name).setAttribute("aria-pressed", name === mode);
  thumbs.mark(state.image);
  drawImage(element("x"), state.x);
  drawPlane();
  if (explain) {
    drawImage(element("seen"), decode(state.q.m));
    drawTerms();
    drawDraws();
  } else drawPoint();
  remember();
}

/** The map, the ellipse, the draws; or the means of p(x|z) all over the plane, and one code. */
function drawPlane() {
  const canvas = element("map"), size = Math.round(element("plane").clientWidth * Math.min(2, devicePixelRatio || 1));
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const c = canvas.getContext("2d"), unit = size / view.half / 2, thick = size / 250;
  const at = (z) => place(z).map((share) => share * size);
  const explain = state.mode === "explain";
  c.clearRect(0, 0, size, size);
  if (explain && !state.drop) {
    backdrop ??= posteriorMap();
    const [left, top] = at([-R - STEP / 2, R + STEP / 2]);
    c.imageSmoothingEnabled = true;
    c.drawImage(backdrop, left, top, N * STEP * unit, N * STEP * unit);
  } else if (!explain) drawMeans(c, size);
  c.strokeStyle = color("--quiet");
  c.lineWidth = thick / 2;
  c.setLineDash([thick, 3 * thick]);
  for (const r of [1, 2, 3]) circle(c, at([0, 0]), r * unit, r * unit);
  c.setLineDash([]);
  c.strokeStyle = c.fillStyle = color("--q");
  c.lineWidth = thick;
  if (!explain) {
    if (state.mode === "edit") {
      const home = at(encode(state.x).m);
      c.beginPath();
      c.moveTo(...home);
      c.lineTo(...at(state.z));
      c.stroke();
      circle(c, home, 3 * thick, 3 * thick);
    }
  } else {
    const { q } = state;
    drawPoints(c, at, thick);
    if (trail.length) {
      c.globalAlpha = 0.5;
      c.beginPath();
      trail.forEach((m) => c.lineTo(...at(m)));
      c.stroke();
      c.globalAlpha = 1;
    }
    for (const k of [1, 2]) circle(c, at(q.m), k * q.s[0] * unit, k * q.s[1] * unit);
  }
  handles();
}

function circle(c, [a, b], wide, high) {
  c.beginPath();
  c.ellipse(a, b, wide, high, 0, 0, 2 * Math.PI);
  c.stroke();
}

/** p(z|x) as violet whose strength is the density's root, so that its flanks are seen. */
function posteriorMap() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = N;
  const c = canvas.getContext("2d"), picture = c.createImageData(N, N), violet = parseInt(color("--grid").slice(1), 16);
  for (let i = 0, g = 0; i < N; i++) {
    for (let j = 0; j < N; j++, g++) {
      const strength = 225 * Math.sqrt(Math.exp(joint[g] - peak));
      picture.data.set([violet >> 16, (violet >> 8) & 255, violet & 255, strength], 4 * ((N - 1 - j) * N + i));
    }
  }
  c.putImageData(picture, 0, 0);
  return canvas;
}

const MEANS = 13; // a side
let means = null;
function drawMeans(c, size) {
  means ??= Array.from({ length: MEANS ** 2 }, (_, n) => {
    const canvas = document.createElement("canvas");
    const share = (k) => (k + 0.5) / MEANS;
    drawImage(canvas, decode(codeAt([share(n % MEANS), share(Math.floor(n / MEANS))])));
    return canvas;
  });
  c.globalAlpha = 0.45;
  c.imageSmoothingEnabled = true;
  means.forEach((canvas, n) => {
    const cell = size / MEANS;
    c.drawImage(canvas, (n % MEANS) * cell, Math.floor(n / MEANS) * cell, cell, cell);
  });
  c.globalAlpha = 1;
}

/** The first K draws; those with large weights are large. */
function drawPoints(c, at, thick) {
  const all = weights[state.from];
  if (!all) return;
  const some = all.slice(0, state.k), top = Math.max(...some);
  for (let n = 0; n < state.k; n++) {
    const [a, b] = at(codeOf(n, state.from, state.q)), share = Math.exp(some[n] - top);
    c.globalAlpha = 0.3 + 0.6 * share;
    c.beginPath();
    c.arc(a, b, thick * (0.9 + 1.8 * Math.sqrt(share)), 0, 2 * Math.PI);
    c.fill();
  }
  c.globalAlpha = 1;
}

/** Where the handles are; q's axes end at two standard deviations. */
function grips() {
  const { q } = state;
  if (state.mode !== "explain") return { center: state.z };
  return { center: q.m, wide: [q.m[0] + 2 * q.s[0], q.m[1]], high: [q.m[0], q.m[1] + 2 * q.s[1]] };
}

function handles() {
  const found = grips();
  for (const name of ["center", "wide", "high"]) {
    const handle = element(name), z = found[name];
    handle.hidden = !z;
    if (!z) continue;
    const [a, b] = place(z);
    handle.style.left = `${100 * a}%`;
    handle.style.top = `${100 * b}%`;
    if (a < 0 || a > 1 || b < 0 || b > 1) handle.hidden = document.activeElement !== handle;
  }
  const z = found.center, what = state.mode === "explain" ? "Center of q" : "The code z";
  element("center").setAttribute("aria-label", `${what}: ${number(z[0])}, ${number(z[1])}. Arrow keys move it.`);
  [element("wide"), element("high")].forEach((handle, d) => {
    handle.setAttribute("aria-valuemin", NARROW.toFixed(3));
    handle.setAttribute("aria-valuemax", (R / 4).toFixed(2));
    handle.setAttribute("aria-valuenow", state.q.s[d].toFixed(3));
    handle.setAttribute("aria-valuetext", `σ = ${number(state.q.s[d], 3)}`);
  });
}

function drawTerms() {
  const t = (state.terms = terms(state.q));
  const lowest = Math.min(t.reconstruction, t.elbo), highest = Math.max(t.reconstruction, logPx);
  const span = scale(Math.max(logPx - lowest, highest - logPx, 8) * 1.15);
  const low = logPx - span, high = logPx + span / 2;
  const share = (value) => 100 * Math.min(1, Math.max(0, (value - low) / (high - low)));
  const bar = (name, a, b, value) => {
    const box = element(name), i = box.querySelector("i").style;
    i.left = `${Math.min(share(a), share(b))}%`;
    i.width = `${Math.abs(share(b) - share(a))}%`;
    box.querySelector("output").textContent = value;
  };
  bar("rec", high, t.reconstruction, number(t.reconstruction));
  bar("kl", t.reconstruction, t.elbo, `− ${number(t.prior)}`);
  bar("gap", t.elbo, t.elbo + t.gap, state.drop ? "?" : `+ ${number(t.gap)}`);
  element("line").style.left = `${share(logPx)}%`;
  element("elbo").textContent = number(t.elbo);
  element("logpx").textContent = number(t.elbo + t.gap);
  const alone = scale(Math.max(t.gap, 0.4) * 1.05), own = element("alone");
  own.querySelector("i").style.width = `${(100 * t.gap) / alone}%`;
  own.querySelector("output").textContent = `0 to ${alone} nats`;
  const every = scale(span / 3), marks = [];
  for (let tick = Math.ceil(low / every) * every; tick < high; tick += every) {
    if (share(tick) > 6 && share(tick) < 94) marks.push(`<span style="left:${share(tick)}%">${number(tick, 0)}</span>`);
  }
  element("ticks").innerHTML = marks.join("");
}

/** 1, 2 or 5 times a power of ten, at least `value`. */
function scale(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const found = [1, 2, 5, 10].find((n) => n * power >= value) * power;
  return Number(found.toPrecision(1));
}

function drawDraws() {
  const { k, from, q } = state;
  weights.q = logWeights("q", q);
  const found = { q: bounds(weights.q), prior: priorBounds }, level = Math.log2(k);
  const { mean, error } = (state.bound = found[from][level]);
  const slider = element("k");
  slider.value = level;
  slider.setAttribute("aria-valuetext", `K = ${k}`);
  slider.nextElementSibling.textContent = k;
  element("from-q").setAttribute("aria-pressed", from === "q");
  element("from-prior").setAttribute("aria-pressed", from === "prior");
  element("bound-name").textContent = `average, ${POOL / k} ${POOL / k > 1 ? "times" : "time"} ${k} draw${k > 1 ? "s" : ""}`;
  element("bound").textContent = `${number(mean)} ± ${number(error)}`;
  const below = number(Math.max(0, logPx - mean));
  element("draws-note").textContent = state.drop
    ? "Without the grid nobody knows how much is missing."
    : `${below} nats below log p(x). ${from === "q" ? "K = 1 is the ELBO." : "Most draws of the prior explain another image."}`;
  element("curve").innerHTML = curve(found);
}

/** The bound for K = 1 … 1024, from q and from the prior, on its way to log p(x). */
function curve(found) {
  const wide = Math.max(240, element("curve").clientWidth), high = 150, left = 46, right = 8, bottom = 24, top = 10;
  const span = scale(Math.max(0.3, logPx - found[state.from][0].mean) * 1.02), low = logPx - span;
  const across = (n) => left + (n / 10) * (wide - left - right);
  const up = (value) => top + Math.min(1, Math.max(0, (logPx - value) / span)) * (high - top - bottom);
  const line = (from, stroke, opacity) => {
    const points = found[from].map(({ mean }, n) => `${across(n).toFixed(1)},${up(mean).toFixed(1)}`).join(" ");
    const bars = found[from].map(({ mean, error }, n) => `M${across(n).toFixed(1)} ${up(mean - 2 * error).toFixed(1)}V${up(mean + 2 * error).toFixed(1)}`);
    return `<g fill="none" stroke="${stroke}" stroke-width="2.5" opacity="${opacity}"><polyline points="${points}"/><path d="${bars.join("")}"/></g>`;
  };
  const now = found[state.from][Math.log2(state.k)];
  const truth = state.drop ? "" : `<path d="M${left} ${up(logPx)}H${wide - right}" stroke="var(--grid)" stroke-width="3" stroke-dasharray="7 4"/>`;
  const words = state.drop ? "" : `<text x="${left - 6}" y="${up(logPx) + 5}" text-anchor="end">${number(logPx, 1)}</text>`;
  const names = [1, 4, 16, 64, 256, 1024].map((k) => `<text x="${across(Math.log2(k))}" y="${high - 6}" text-anchor="${k === 1024 ? "end" : "middle"}">${k}</text>`);
  const other = state.from === "q" ? "prior" : "q";
  const label = `The bound by K: ${number(found[state.from][0].mean)} for 1 draw, ${number(found[state.from][10].mean)} for 1024.`;
  return `<svg viewBox="0 0 ${wide} ${high}" role="img" aria-label="${label}">${truth}${words}
<text x="${left - 6}" y="${up(low) + 5}" text-anchor="end">${number(low, 1)}</text>${names.join("")}
${line(other, "var(--quiet)", 0.35)}${line(state.from, "var(--q)", 1)}
<circle cx="${across(Math.log2(state.k))}" cy="${up(now.mean)}" r="6" fill="var(--q)"/></svg>`;
}

function drawPoint() {
  const { z, mode } = state, mean = decode(z), drawn = uniform(seed);
  drawImage(element("mean"), mean);
  drawImage(element("sample"), mean.map((p) => (drawn() < p ? 1 : 0)));
  element("point-sentence").textContent = mode === "generate"
    ? "Point anywhere: the decoder turns two numbers into an image."
    : "The ring is the image’s code. Move along either axis, and see what changes.";
  ["z1", "z2"].forEach((name, d) => {
    element(name).value = z[d];
    element(name).nextElementSibling.textContent = number(z[d]);
  });
}

let saying = 0;
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => (element("status").textContent = text()), 400);
}

function sayTerms() {
  say(() => {
    if (state.mode !== "explain") return `z is ${state.z.map((value) => number(value)).join(", ")}`;
    const t = state.terms, known = `Reconstruction ${number(t.reconstruction)}, KL to the prior ${number(t.prior)}`;
    return state.drop ? `${known}, bound ${number(t.elbo)} nats.` : `${known}, KL to the posterior ${number(t.gap)}, log p(x) ${number(logPx)} nats.`;
  });
}

// 3. What the reader does.

let waiting = false;
function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function change(values) {
  stop();
  Object.assign(state, values);
  state.q = kept(state.q);
  state.z = state.z.map((value) => Math.min(REACH, Math.max(-REACH, value)));
  sayTerms();
  later();
}

function stop() {
  cancelAnimationFrame(running);
  running = 0;
  trail = [];
}

/** Move a handle to a code. */
function move(name, z) {
  const q = { m: [...state.q.m], s: [...state.q.s] };
  if (state.mode !== "explain") return change({ z });
  if (name === "center") q.m = z;
  if (name === "wide") q.s[0] = Math.abs(z[0] - q.m[0]) / 2;
  if (name === "high") q.s[1] = Math.abs(z[1] - q.m[1]) / 2;
  change({ q });
}

const plane = element("plane");
let held = null, offset = [0, 0];
const shares = (event, box) => {
  const { left, top, width, height } = box.getBoundingClientRect();
  return [(event.clientX - left) / width, (event.clientY - top) / height];
};
plane.onpointerdown = (event) => {
  if (event.button) return;
  event.preventDefault();
  const at = shares(event, plane), width = plane.clientWidth;
  const near = Object.entries(grips()).map(([name, z]) => [name, place(z), z])
    .map(([name, [a, b], z]) => ({ name, z, far: Math.hypot(a - at[0], b - at[1]) * width }));
  near.sort((a, b) => a.far - b.far);
  held = near[0].far < 32 ? near[0].name : "center";
  const z = codeAt(at), grip = near.find((one) => one.name === held);
  offset = grip.far < 32 ? [grip.z[0] - z[0], grip.z[1] - z[1]] : [0, 0];
  plane.setPointerCapture(event.pointerId);
  element(held).focus({ preventScroll: true });
  if (grip.far >= 32) move(held, z);
};
plane.onpointermove = (event) => {
  if (!held) return;
  const z = codeAt(shares(event, plane));
  move(held, [z[0] + offset[0], z[1] + offset[1]]);
};
plane.onpointerup = plane.onpointercancel = () => (held = null);
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
for (const name of ["center", "wide", "high"]) {
  element(name).onkeydown = (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const step = (event.shiftKey ? 0.01 : 0.05) * (view.half / REACH), [a, b] = grips()[name];
    const by = name === "center" ? arrow : [arrow[0] + arrow[1], arrow[0] + arrow[1]];
    move(name, [a + 2 ** (name !== "center") * step * by[0], b + 2 ** (name !== "center") * step * by[1]]);
  };
}

element("encoder").onclick = () => change({ q: encode(state.x) });
element("best").onclick = () => climb();
function climb() {
  stop();
  const steps = ascent(state.q);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return change({ q: [...steps].at(-1) });
  trail = [state.q.m];
  const step = () => {
    const { value, done } = steps.next();
    if (done) return (running = 0), sayTerms();
    state.q = value;
    trail.push(value.m);
    draw();
    running = requestAnimationFrame(step);
  };
  running = requestAnimationFrame(step);
}
const toggle = (id, name, after = () => {}) => {
  element(id).onclick = () => {
    change({ [name]: !state[name] });
    after();
  };
};
toggle("drop", "drop");
toggle("zoom", "zoom", focusView);
element("k").oninput = () => change({ k: 2 ** element("k").valueAsNumber });
element("from-q").onclick = () => change({ from: "q" });
element("from-prior").onclick = () => change({ from: "prior" });
for (const mode of MODES) {
  element(mode).onclick = () => {
    if (mode === "edit") state.z = encode(state.x).m;
    change({ mode });
    focusView();
  };
}
["z1", "z2"].forEach((name, d) => {
  element(name).oninput = () => change({ z: state.z.with(d, element(name).valueAsNumber) });
});
element("again").onclick = () => (seed++, later());
element("prior-draw").onclick = () => change({ z: [...normals(2, 1000 + seed++)] });
element("home").onclick = () => change({ z: encode(state.x).m });

// Drawing: a pen of two by two pixels on small images, wider on larger ones.
const paper = element("x");
let pen = false, erase = false, cursor = [Math.floor(HEIGHT / 2), Math.floor(WIDTH / 2)];
function ink([a, b]) {
  const x = Float32Array.from(state.x, (value) => (value >= 0.5 ? 1 : 0)), wide = Math.max(2, Math.round(WIDTH / 11));
  const left = Math.round(a * WIDTH - wide / 2), top = Math.round(b * HEIGHT - wide / 2);
  for (let row = Math.max(0, top); row < Math.min(HEIGHT, top + wide); row++) {
    for (let column = Math.max(0, left); column < Math.min(WIDTH, left + wide); column++) x[row * WIDTH + column] = erase ? 0 : 1;
  }
  drawn(x);
}
function drawn(x) {
  setImage(x);
  sayTerms();
  later();
}
let last = null;
paper.onpointerdown = (event) => {
  pen = true;
  paper.setPointerCapture(event.pointerId);
  ink((last = shares(event, paper)));
};
paper.onpointermove = (event) => {
  if (!pen) return;
  const to = shares(event, paper), parts = Math.ceil(Math.hypot(to[0] - last[0], to[1] - last[1]) * WIDTH) || 1;
  for (let n = 1; n <= parts; n++) ink([last[0] + ((to[0] - last[0]) * n) / parts, last[1] + ((to[1] - last[1]) * n) / parts]);
  last = to;
};
paper.onpointerup = paper.onpointercancel = () => (pen = false);
paper.onkeydown = (event) => {
  const arrow = ARROWS[event.key];
  if (!arrow && event.key !== " ") return;
  event.preventDefault();
  if (arrow) {
    cursor = [Math.min(HEIGHT - 1, Math.max(0, cursor[0] - arrow[1])), Math.min(WIDTH - 1, Math.max(0, cursor[1] + arrow[0]))];
  } else {
    const p = cursor[0] * WIDTH + cursor[1];
    drawn(state.x.with(p, state.x[p] ? 0 : 1));
  }
  say(() => `row ${cursor[0] + 1}, column ${cursor[1] + 1}: ${state.x[cursor[0] * WIDTH + cursor[1]] ? "ink" : "paper"}`);
};
element("clear").onclick = () => drawn(new Float32Array(PIXELS));
element("erase").onclick = () => {
  erase = !erase;
  element("erase").setAttribute("aria-pressed", erase);
};

// 4. Guided steps, and the address.

const OFF = () => ({ m: [posterior.m[0] > 0 ? posterior.m[0] - 1.2 : posterior.m[0] + 1.2, posterior.m[1] * 0.4], s: [0.5, 0.3] });
const STEPS = [
  {
    text: "The violet map is p(z|x): the codes that explain this image. Drag q onto it.",
    question: "Which bar vanishes, and what never moves?",
    answer: "The striped one, KL to the posterior. log p(x) does not know q (D6): it stays.",
    go: () => ({ mode: "explain", drop: false, q: OFF() }),
  },
  {
    text: "The encoder looks at x once and names a q. What it misses is the gap.",
    question: "Draw a scribble of your own: does the gap grow?",
    answer: "Usually. The encoder learned from digits, and for other images it guesses.",
    go: () => ({ mode: "explain", drop: false, q: encode(state.x) }),
  },
  {
    text: "In more dimensions there is no grid, so the third term is unknown. Drop it: the ELBO is left (L5).",
    question: "Can the ELBO ever be above log p(x)?",
    answer: "No. A KL divergence is never negative, so leaving it out only lowers the sum.",
    go: () => ({ mode: "explain", drop: true, q: OFF() }),
  },
  {
    text: "Press “The best Gaussian”: q climbs the bound, and the gap closes although nobody looks at it.",
    question: "Why does a little of the gap stay?",
    answer: "The posterior is no Gaussian with axes along z₁ and z₂. No encoder of this family can do better.",
    go: () => ({ mode: "explain", drop: false, q: OFF() }),
  },
  {
    text: "Average over K draws instead of one, and move K: the bound climbs to log p(x).",
    question: "How many draws from the prior are as good as one from q?",
    answer: "Switch to r = p(z) and compare: often dozens or hundreds, as most of its draws explain another image.",
    go: () => ({ mode: "explain", drop: false, q: encode(state.x), from: "q", k: 16 }),
  },
];

function showStep() {
  const { text, question, answer } = STEPS[state.step];
  element("count").textContent = `Step ${state.step + 1} of ${STEPS.length}`;
  element("sentence").textContent = text;
  element("question").textContent = question;
  element("answer").textContent = answer;
  element("answer").parentElement.open = false;
  element("back").disabled = state.step === 0;
  element("next").textContent = state.step + 1 < STEPS.length ? "Next" : "Start again";
}

function goTo(step) {
  state.step = step;
  change(STEPS[step].go());
  focusView();
  showStep();
}
element("next").onclick = () => goTo((state.step + 1) % STEPS.length);
element("back").onclick = () => goTo(state.step - 1);

/** Keep what is seen in the address, once it rests. */
let remembering = 0;
let written = "";
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const round = (value) => Number(value.toFixed(3));
    const words = { step: state.step + 1, mode: state.mode, q: [...state.q.m, ...state.q.s].map(round), z: state.z.map(round) };
    Object.assign(words, { k: state.k, from: state.from, drop: Number(state.drop), zoom: Number(state.zoom) });
    words.x = state.image >= 0 ? state.image + 1 : `i${bits(state.x)}`;
    written = `#${Object.entries(words).map(([name, value]) => `${name}=${value}`).join("&")}`;
    history.replaceState(null, "", written);
  }, 300);
}

const bits = (x) => {
  let text = "";
  for (let p = 0; p < PIXELS; p += 4) text += [0, 1, 2, 3].reduce((sum, n) => 2 * sum + (x[p + n] >= 0.5), 0).toString(16);
  return text;
};
const unbits = (text) => Float32Array.from({ length: PIXELS }, (_, p) => (parseInt(text[p >> 2] || "0", 16) >> (3 - (p & 3))) & 1);

/** Go to what the address says; what it does not say, or says wrongly, stays as it is. */
function recall() {
  const words = new URLSearchParams(location.hash.slice(1));
  const numbers = (name, n) => {
    const found = (words.get(name) ?? "").split(",").map(Number);
    return words.has(name) && found.length === n && found.every(Number.isFinite) ? found : null;
  };
  const image = numbers("x", 1)?.[0] - 1, drawing = /^i([0-9a-f]+)$/.exec(words.get("x") ?? "");
  if (MODES.includes(words.get("mode"))) state.mode = words.get("mode");
  if (drawing) setImage(unbits(drawing[1]));
  else if (IMAGES[image]) setImage(IMAGES[image], image);
  const q = numbers("q", 4), z = numbers("z", 2), step = numbers("step", 1)?.[0] - 1, k = numbers("k", 1)?.[0];
  if (STEPS[step]) state.step = step;
  if (Number.isInteger(Math.log2(k)) && k <= 1024) state.k = k;
  if (["q", "prior"].includes(words.get("from"))) state.from = words.get("from");
  for (const name of ["drop", "zoom"]) if (numbers(name, 1)) state[name] = words.get(name) === "1";
  change({ ...(q && { q: { m: q.slice(0, 2), s: q.slice(2) } }), ...(z && { z }) });
  showStep();
  focusView();
}
addEventListener("hashchange", () => location.hash !== written && recall());

const thumbs = thumbnails(element("thumbs"), (i) => {
  setImage(IMAGES[i], i);
  sayTerms();
  later();
});
function redraw() {
  means = backdrop = null;
  thumbs.draw();
  draw();
}

const ready = prepare().then(() => {
  setImage(IMAGES[0], 0);
  showStep();
  state.q = kept(OFF());
  if (location.hash) recall();
  redraw();
  onColors(redraw);
  addEventListener("resize", later);
});

// For tests, and for the curious in the console.
window.explorer = {
  ready, state, encode, decode, kept, draw, change, MODES,
  image: (i) => IMAGES[i],
  terms: (i, q) => (setImage(IMAGES[i], i), { logPx, ...terms(q) }),
  bounds: (i, q, from) => (setImage(IMAGES[i], i), bounds(logWeights(from, q))),
  posterior: () => posterior, view: () => view, running: () => running !== 0,
};
