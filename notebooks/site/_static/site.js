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

// Names for screen readers: what the theme writes on its buttons, and the arrows of the side bar.
document.addEventListener("DOMContentLoaded", () => {
  for (const named of document.querySelectorAll("details.hide > summary, .search-button-field")) {
    named.removeAttribute("aria-label");
  }
  for (const arrow of document.querySelectorAll(".bd-links summary")) {
    arrow.setAttribute("aria-label", "pages below this one");
  }
});
