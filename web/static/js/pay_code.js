// The payment code leaves the page while nobody can be looking at it, and when its time is over.
// The server keeps the rule; a renewed code comes as a whole new section.
(() => {
  "use strict";

  const GRACE_MS = 15_000; // a till may still read a code that has just ended
  let end, watched, focused;

  const section = () => document.getElementById("paycode");
  const empty = () => section()?.querySelector("[data-codes]")?.replaceChildren();
  const renew = () => section()?.dispatchEvent(new Event("renew"));

  const over = () => {
    empty();
    const words = section()?.querySelector("[data-over]");
    if (words) words.hidden = false;
  };

  const watch = () => {
    if (document.hidden) empty();
    if (section() === watched) return; // the digits alone were swapped
    watched = section();
    clearTimeout(end);
    end = setTimeout(over, Number(watched?.dataset.leftMs ?? 0) + GRACE_MS);
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? empty() : renew()));
  window.addEventListener("pagehide", empty);
  window.addEventListener("pageshow", (event) => event.persisted && renew());

  // No code is issued for a screen that nobody looks at.
  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail.ctx.sourceElement?.id !== "paycode") return;
    if (document.hidden) event.preventDefault();
    // Whoever is on a button of the old code stays on that button of the new one.
    focused = section().contains(document.activeElement) ? document.activeElement.id : "";
  });
  document.addEventListener("htmx:after:swap", () => {
    const renewed = section() !== watched;
    watch();
    if (renewed && focused) document.getElementById(focused)?.focus();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-renew]")) return;
    event.preventDefault();
    renew();
  });
  watch();
})();
