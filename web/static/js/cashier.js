// The till: keypad, scanner gun, keyboard, and asking again where the network was lost.
// Everything works without it, but by hand.
(() => {
  "use strict";

  const MAX_YUAN_DIGITS = 8;
  const CODE_DIGITS = 16; // no code of any wallet is shorter
  const PAUSE_MS = 3000; // a longer one between two digits begins a new run of them
  const ECHO_MS = 400;
  const RETRY_MS = 2000;
  const RETRIES = 15;
  const LAST = "yipay.till.order"; // the order whose answer has not come yet

  const field = (name) => document.getElementById(`f-${name}`);
  const form = () => document.getElementById("till");
  const coarse = matchMedia("(pointer: coarse)").matches;

  // -- keypad ------------------------------------------------------------------------------------

  const typed = (text, key) => {
    if (key === "erase") return text.slice(0, -1);
    if (key === ".") return text.includes(".") ? text : `${text || "0"}.`;
    const [yuan, fen] = text.split(".");
    if (fen !== undefined) return fen.length < 2 ? text + key : text;
    if (yuan === "0") return key;
    return yuan.length < MAX_YUAN_DIGITS ? text + key : text;
  };

  document.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    const amount = field("amount");
    if (key === undefined || !amount) return;
    amount.value = typed(amount.value, key);
    amount.removeAttribute("aria-invalid");
  });

  // With a finger the keypad is the keyboard; the system's would cover it. Guns type all the same.
  let settledAt = 0;
  const settle = () => {
    for (const name of coarse ? ["amount", "pay_code"] : []) {
      field(name)?.setAttribute("inputmode", "none");
    }
    document.querySelector("[data-next]")?.focus({ preventScroll: true });
    settledAt = performance.now();
  };
  settle();
  document.addEventListener("htmx:after:swap", settle);

  // -- the scanner gun ---------------------------------------------------------------------------

  let burst = "";
  let before = null; // the field that the gun types into, and what it held before
  let last = 0;

  const remember = (key, now) => {
    if (!burst || now - last > PAUSE_MS) {
      burst = "";
      const active = document.activeElement;
      before = active instanceof HTMLInputElement ? { input: active, value: active.value } : null;
    }
    last = now;
    burst += key;
  };

  const take = (digits) => {
    const code = field("pay_code");
    if (!code) return; // the answer to a customer is on the screen: a second scan means nothing
    code.value = digits;
    if (field("amount").value) form().requestSubmit();
    else field("amount").focus();
  };

  // Wherever the gun typed, its digits belong into the field for codes and nowhere else. No amount
  // has as many; what a hand typed right before a code of ours is still the amount.
  const scanned = () => {
    const [, typedBefore, digits] = /^(\d*?)(88\d{16})$/.exec(burst) ?? [burst, "", burst];
    burst = "";
    const code = field("pay_code");
    if (before && before.input !== code) before.input.value = before.value + typedBefore;
    take(digits);
  };

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
      const now = event.timeStamp;
      if (/^\d$/.test(event.key)) return remember(event.key, now);
      // Some guns end with two keys: the second must not call the next customer.
      if (event.target.matches?.("[data-next]") && now - settledAt < ECHO_MS) {
        return event.preventDefault();
      }
      const gun = burst.length >= CODE_DIGITS && now - last <= PAUSE_MS;
      if (event.key === "Enter" && gun) {
        event.preventDefault();
        event.stopImmediatePropagation();
        scanned();
        return;
      }
      burst = "";
    },
    true,
  );

  // -- the camera --------------------------------------------------------------------------------

  const camera = document.getElementById("till-camera");
  const offerCamera = () => {
    for (const button of document.querySelectorAll("[data-camera]")) button.hidden = !camera;
  };
  offerCamera();
  document.addEventListener("htmx:after:swap", offerCamera);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-camera]")) {
      camera.showModal();
      camera.querySelector("[data-scan-start]").click();
    }
    if (event.target.closest("[data-camera-close]")) camera.close();
  });
  camera?.addEventListener("close", () => camera.querySelector("[data-scan-stop]").click());
  camera?.addEventListener("scan:found", (event) => {
    camera.close();
    take(event.detail.text);
  });

  // -- the keyboard ------------------------------------------------------------------------------

  // Enter after the amount leads on to the code; Enter there shows ours instead.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== field("amount")) return;
    const code = field("pay_code");
    if (!event.target.value || code.value) return;
    event.preventDefault();
    code.focus();
  });

  // What is typed while nothing has the focus is the amount, then the code.
  document.addEventListener("keydown", (event) => {
    if (document.activeElement !== document.body || !/^[\d.]$/.test(event.key)) return;
    const amount = field("amount");
    (amount?.value ? field("pay_code") : amount)?.focus();
  });

  // The field for codes takes the focus back by itself, so that a gun always hits it.
  document.addEventListener("focusout", (event) => {
    if (event.target !== field("pay_code") || event.relatedTarget) return;
    setTimeout(() => {
      if (document.activeElement === document.body && document.hasFocus()) field("pay_code")?.focus();
    });
  });

  // -- an answer that did not come ---------------------------------------------------------------

  let tries = 0;

  const waiting = (on) => {
    const note = document.getElementById("till-again");
    if (note) note.hidden = !on;
  };

  document.addEventListener("htmx:before:request", (event) => {
    if (event.target !== form()) return;
    sessionStorage.setItem(LAST, form().elements.order_id.value);
  });
  document.addEventListener("htmx:after:request", (event) => {
    if (event.target !== form()) return;
    sessionStorage.removeItem(LAST);
    tries = 0;
    const code = field("pay_code");
    if (code) code.value = ""; // answered: the digits have done their work
  });
  // The same numbers and the same code: asking again does nothing twice and tells the truth.
  document.addEventListener("htmx:error", (event) => {
    if (event.target !== form() || tries >= RETRIES) return;
    tries += 1;
    waiting(true);
    setTimeout(() => form()?.requestSubmit(), RETRY_MS);
  });

  // Reloaded before the answer came: the order itself says what became of it.
  const lost = sessionStorage.getItem(LAST);
  if (lost && form()) {
    sessionStorage.removeItem(LAST);
    location.replace(`/cashier?lost=${lost}`);
  }
})();
