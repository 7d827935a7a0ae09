// What every page does beyond htmx. Pages work without it; nothing here knows about money.
(() => {
  "use strict";

  const page = document.documentElement;
  page.classList.add("js");

  // Offline page and hashed files only; see sw.js.
  if ("serviceWorker" in navigator) {
    const policy = window.trustedTypes?.createPolicy("yipay", {
      createScriptURL: (url) => {
        if (url === "/sw.js") return url;
        throw new TypeError("not a script of ours");
      },
    });
    const url = policy ? policy.createScriptURL("/sw.js") : "/sw.js";
    navigator.serviceWorker.register(url).catch(() => {});
  }

  // A plain form is sent once; htmx forms have hx-sync and hx-disable.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    form.querySelector("[data-busy]")?.setAttribute("aria-busy", "true");
  });
  // Back from the browser's cache: the form may be sent again (the server knows the id).
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      form.querySelector("[data-busy]")?.removeAttribute("aria-busy");
    }
  });

  // A strip of tabs begins where the page is.
  const showHere = () => {
    for (const here of document.querySelectorAll(".shopnav [aria-current]")) {
      const strip = here.closest("ul");
      const { left, width } = here.getBoundingClientRect();
      strip.scrollLeft += left + width / 2 - strip.clientWidth / 2;
    }
  };
  showHere();
  document.addEventListener("htmx:after:swap", showHere);

  // Who picks a piece out of a page needs its content alone. With its frame would come its scripts,
  // and htmx makes such anew, which our policy on script addresses forbids.
  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.select) ctx.request.headers["HX-Request-Type"] = "partial";
  });

  const busy = (event, on) => {
    const button = event.target.querySelector?.("[data-busy]");
    if (button && on) button.setAttribute("aria-busy", "true");
    if (button && !on) button.removeAttribute("aria-busy");
  };
  document.addEventListener("htmx:before:request", (event) => busy(event, true));
  document.addEventListener("htmx:finally:request", (event) => busy(event, false));

  // After a person's own action, reading goes on at the new heading or the first wrong field.
  document.addEventListener("htmx:after:swap", (event) => {
    const { sourceEvent, target } = event.detail.ctx;
    if (sourceEvent?.type !== "submit" && sourceEvent?.type !== "click") return;
    const place = target?.isConnected ? target : document.getElementById("main");
    const next =
      place.querySelector("[aria-invalid=true]") ??
      place.querySelector("[data-heading]") ??
      document.querySelector("#topbar [data-heading]");
    next?.focus({ preventScroll: false });
  });

  const alarm = document.getElementById("assertive");
  const say = (text) => {
    const toast = document.createElement("p");
    toast.className = "toast";
    toast.textContent = text;
    alarm.replaceChildren(toast);
    setTimeout(() => toast.remove(), 8000);
  };
  document.addEventListener("htmx:error", () => say(alarm.dataset.offline));
  document.addEventListener("htmx:response:error", (event) => {
    const { response, swap } = event.detail.ctx;
    if (response.status >= 500 && swap === "none") say(alarm.dataset.failed);
  });

  // A deadline is shown in the last quarter of its time only: earlier it just makes people hurry.
  const tick = () => {
    for (const element of document.querySelectorAll("[data-until]")) {
      const from = Date.parse(element.dataset.from);
      const until = Date.parse(element.dataset.until);
      const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      element.hidden = left > (until - from) / 4000;
      const clock = element.querySelector("[data-left]");
      const text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      if (clock.textContent !== text) clock.textContent = text;
    }
  };
  tick();
  setInterval(tick, 1000);
})();
