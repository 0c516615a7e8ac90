"use strict";
// The networks of a VAE from float16 weights, and how an image is drawn. Shared by both pages.

const CONTENT = JSON.parse(document.getElementById("content").textContent);
const [HEIGHT, WIDTH] = CONTENT.shape;
const PIXELS = HEIGHT * WIDTH;
const element = (id) => document.getElementById(id);

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function halves(text) {
  const bits = new DataView(bytes(text).buffer);
  return Float32Array.from({ length: bits.byteLength / 2 }, (_, i) => {
    const half = bits.getUint16(2 * i, true);
    const exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
    return half >> 15 ? -size : size;
  });
}

function singles(text) {
  const bits = new DataView(bytes(text).buffer);
  return Float32Array.from({ length: bits.byteLength / 4 }, (_, i) => bits.getFloat32(4 * i, true));
}

/** W, b of each layer; W is outputs × inputs. */
function layersOf(saved) {
  return saved.map(({ w, b }) => {
    const W = halves(w), bias = halves(b);
    return { W, b: bias, inputs: W.length / bias.length, outputs: bias.length };
  });
}

const activate = CONTENT.activation === "tanh" ? Math.tanh : (a) => (a > 0 ? a : 0);

/** W v + b. */
function linear({ W, b, inputs, outputs }, v) {
  const out = Float64Array.from(b);
  for (let i = 0; i < inputs; i++) {
    if (v[i] === 0) continue; // white pixels, and units that are off
    for (let o = 0, w = i; o < outputs; o++, w += inputs) out[o] += W[w] * v[i];
  }
  return out;
}

const ENCODER = layersOf(CONTENT.encoder), DECODER = layersOf(CONTENT.decoder);
const LAST = DECODER[DECODER.length - 1];
const hiddenOf = (layers, v) => layers.slice(0, -1).reduce((h, layer) => linear(layer, h).map(activate), v);

/** q(z|x): its means and standard deviations. */
function encode(x) {
  const codes = linear(ENCODER[ENCODER.length - 1], hiddenOf(ENCODER, x));
  const n = CONTENT.latent;
  return { m: [...codes.slice(0, n)], s: [...codes.slice(n)].map((logvar) => Math.exp(logvar / 2)) };
}

/** The mean of p(x|z): a probability of ink for each pixel. */
function decode(z) {
  return linear(LAST, hiddenOf(DECODER, z)).map((logit) => 1 / (1 + Math.exp(-logit)));
}

const IMAGES = CONTENT.images.map((text) => Float32Array.from(bytes(text), (value) => value / 255));

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Ink on paper: dark on light, or light on dark if the reader's screen is dark. */
function drawImage(canvas, x) {
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d"), picture = context.createImageData(WIDTH, HEIGHT);
  const ink = parseInt(color("--ink").slice(1), 16);
  for (let p = 0; p < PIXELS; p++) {
    picture.data.set([ink >> 16, (ink >> 8) & 255, ink & 255, 255 * x[p]], 4 * p);
  }
  context.putImageData(picture, 0, 0);
}

/** Call `draw` when the colors change: dark or light, on screen or on paper. */
function onColors(draw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const paper = (on) => () => (document.documentElement.toggleAttribute("data-print", on), draw());
  addEventListener("beforeprint", paper(true));
  addEventListener("afterprint", paper(false));
}

/** A row of buttons with the images; `choose` gets the number of the one that was pressed. */
function thumbnails(place, choose) {
  const buttons = IMAGES.map((x, i) => {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    button.type = "button";
    button.className = "thumb";
    button.setAttribute("aria-label", `held-out image ${i + 1}`);
    button.append(canvas);
    button.onclick = () => choose(i);
    place.append(button);
    return { button, draw: () => drawImage(canvas, x) };
  });
  return {
    draw: () => buttons.forEach((one) => one.draw()),
    mark: (chosen) => buttons.forEach((one, i) => one.button.setAttribute("aria-pressed", i === chosen)),
  };
}
