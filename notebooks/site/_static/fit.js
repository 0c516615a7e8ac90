// A formula that is too wide even when it is broken gets as small as its column asks.
function fit() {
  for (const box of document.querySelectorAll("div.math")) {
    box.style.fontSize = "";
    const share = box.clientWidth / box.scrollWidth;
    if (share < 1) box.style.fontSize = `${0.98 * share}em`;
  }
}
window.addEventListener("load", () => document.fonts.ready.then(fit));
window.addEventListener("resize", fit);
