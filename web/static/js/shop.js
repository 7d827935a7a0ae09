// The dashboard: the switch of its sound, the panel beside the list, choosing rows, exports.
(() => {
  "use strict";

  // Silent until somebody turns it on. This runs before chime.js hears of the marks.
  const KEY = "yipay.dashboard-sound";
  const soundOn = () => localStorage.getItem(KEY) === "on";
  const showSwitch = () => {
    for (const box of document.querySelectorAll("[data-sound]")) box.checked = soundOn();
  };
  showSwitch();
  document.addEventListener("htmx:after:swap", () => {
    if (soundOn()) return;
    for (const paid of document.querySelectorAll("[data-chime]")) paid.removeAttribute("data-chime");
  });

  const panel = () => document.getElementById("panel");
  const closePanel = () => {
    const open = panel();
    const list = open?.querySelector("[data-close]")?.getAttribute("href");
    if (!list) return;
    open.replaceChildren();
    history.pushState(null, "", list);
    document.querySelector("[data-opened]")?.focus();
  };

  const choose = (form) => {
    const boxes = [...form.querySelectorAll("[name=id]")];
    const chosen = boxes.filter((box) => box.checked).length;
    const all = form.querySelector("[data-choose-all]");
    if (all) {
      all.checked = chosen > 0 && chosen === boxes.length;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
    }
    for (const count of form.querySelectorAll("[data-chosen]")) count.textContent = String(chosen);
    for (const part of form.querySelectorAll("[data-with-chosen]")) part.hidden = chosen === 0;
  };

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches("[data-sound]")) localStorage.setItem(KEY, box.checked ? "on" : "off");
    const form = box.closest("[data-rows]");
    if (!form) return;
    if (box.matches("[data-choose-all]")) {
      for (const one of form.querySelectorAll("[name=id]")) one.checked = box.checked;
    }
    choose(form);
  });

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = event.target.closest("[data-open]");
    if (row) {
      document.querySelector("[data-opened]")?.removeAttribute("data-opened");
      row.setAttribute("data-opened", "");
    }
    if (event.target.closest("[data-close]")) {
      event.preventDefault();
      closePanel();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel()?.firstElementChild) closePanel();
  });
  window.addEventListener("popstate", () => location.reload());

  // While a file streams, the server tells how far it is.
  const POLL_MS = 700;
  const LOST = 20;
  const follow = async (link) => {
    const shown = document.getElementById("export-progress");
    if (!shown) return;
    shown.hidden = false;
    document.getElementById("export-broken").hidden = true;
    for (let lost = 0; lost < LOST; ) {
      await new Promise((done) => setTimeout(done, POLL_MS));
      const answer = await fetch(`/shop/exports/${link.dataset.export}`).catch(() => null);
      const state = answer?.ok ? await answer.json() : null;
      if (!state) {
        lost += 1;
        continue;
      }
      shown.querySelector("progress").value = state.percent;
      shown.querySelector("[data-export-rows]").textContent = state.rows.toLocaleString();
      if (state.done && !state.broken) return void setTimeout(() => (shown.hidden = true), 1500);
      if (state.done) break;
    }
    shown.hidden = true;
    document.getElementById("export-broken").hidden = false;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-export]");
    if (!link) return;
    const id = crypto.randomUUID();
    link.dataset.export = id;
    const address = new URL(link.href);
    address.searchParams.set("export", id);
    link.href = address.pathname + address.search;
    follow(link);
  });
})();
