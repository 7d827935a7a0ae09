// The list of resources: closed on phones at first, and shorter while somebody types.
"use strict";

const menu = document.getElementById("menu");
const wide = matchMedia("(min-width: 60rem)");

function fit() {
  menu.open = wide.matches;
}

wide.addEventListener("change", fit);
fit();

document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const section of menu.querySelectorAll("section")) {
    let shown = 0;
    for (const item of section.querySelectorAll("li")) {
      item.hidden = !item.textContent.toLowerCase().includes(wanted);
      shown += item.hidden ? 0 : 1;
    }
    section.hidden = shown === 0;
  }
});
