// Warns before an idle session ends, in every window of it. The server keeps the rule, to half a
// minute: a person gets a whole minute to answer before it may have ended.
(() => {
  "use strict";

  const TO_ANSWER_MS = 60_000;
  const STEP_MS = 30_000; // the server writes down no more often that it has heard of us
  const BY_ITSELF = '[hx-trigger*="every"], [hx-trigger*="#live"]';
  const GRACE_MS = 2000; // after the end, so that the server agrees
  const sheet = document.getElementById("idle");
  if (!sheet) return;
  const idle = Number(sheet.dataset.idleS) * 1000;
  const clock = sheet.querySelector("[data-left]");
  const windows = "BroadcastChannel" in window ? new BroadcastChannel("session") : null;
  let heard = Date.now();

  const awake = () => {
    heard = Date.now();
    if (sheet.open) sheet.close();
  };
  const heardHere = () => {
    awake();
    windows?.postMessage("awake");
  };
  const leave = () => location.assign(`${sheet.dataset.ended}?next=${location.pathname}`);

  const stay = async () => {
    try {
      const answer = await fetch(sheet.dataset.stay, { redirect: "manual", cache: "no-store" });
      if (answer.ok) heardHere();
      else if (answer.type === "opaqueredirect") leave();
    } catch {
      // No connection: the sheet stays, and so does its clock.
    }
  };

  windows?.addEventListener("message", awake);
  windows?.postMessage("awake"); // this page has just come from the server
  document.addEventListener("htmx:after:request", (event) => {
    // What refreshes itself keeps no session awake: nobody did anything.
    if (!event.detail.ctx.sourceElement.matches(BY_ITSELF)) heardHere();
  });
  sheet.querySelector("[data-stay-button]").addEventListener("click", stay);
  sheet.addEventListener("cancel", (event) => {
    event.preventDefault(); // Escape means: not now
    stay();
  });

  const tick = () => {
    const left = heard + idle - Date.now();
    if (left <= -GRACE_MS) return leave();
    if (left > TO_ANSWER_MS + STEP_MS) return;
    const seconds = Math.max(0, Math.ceil((left - STEP_MS) / 1000));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (!sheet.open) sheet.showModal();
  };
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick); // clocks of hidden windows sleep
})();
