// One slider for each dimension of z.

let x = IMAGES[0], z = [];
const thumbs = thumbnails(element("thumbs"), choose);
const controls = Array.from({ length: CONTENT.latent }, (_, dim) => {
  const label = document.createElement("label");
  label.className = "slider";
  label.innerHTML = `<span>z[${dim}]</span><input type="range" step="0.05"><output></output>`;
  const [, input, output] = label.children;
  input.oninput = () => {
    z[dim] = input.valueAsNumber;
    draw();
  };
  element("controls").append(label);
  return { input, output };
});

function choose(i) {
  x = IMAGES[i];
  z = encode(x).m;
  controls.forEach(({ input }, dim) => {
    input.min = Math.min(-3, Math.floor(z[dim]));
    input.max = Math.max(3, Math.ceil(z[dim]));
    input.value = z[dim];
  });
  thumbs.mark(i);
  draw();
}

function draw() {
  controls.forEach(({ output }, dim) => (output.textContent = z[dim].toFixed(2).replace("-", "−")));
  drawImage(element("x"), x);
  drawImage(element("mean"), decode(z));
}

element("reset").onclick = () => choose(IMAGES.indexOf(x));
onColors(() => (thumbs.draw(), draw()));
thumbs.draw();
choose(0);
