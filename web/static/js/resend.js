// Shows how long until a new code may be asked for. The server keeps the rule.
(() => {
  "use strict";
  const button = document.querySelector("[data-enabled-at]");
  const note = document.querySelector("[data-countdown-to]");
  if (!button || !note) return;
  const at = Date.parse(button.dataset.enabledAt);
  const tick = () => {
    const left = Math.ceil((at - Date.now()) / 1000);
    button.disabled = left > 0;
    note.hidden = left <= 0;
    note.querySelector("[data-seconds]").textContent = String(Math.max(left, 0));
    if (left > 0) setTimeout(tick, 500);
  };
  tick();
})();
