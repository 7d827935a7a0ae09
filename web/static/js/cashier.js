// The till: keypad, and the sound of money coming in. The plain field works without it.
(() => {
  "use strict";

  const MAX_YUAN_DIGITS = 8;
  const amount = () => document.getElementById("f-amount");

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
    const field = amount();
    if (key === undefined || !field) return;
    field.value = typed(field.value, key);
    field.removeAttribute("aria-invalid");
  });

  // With a finger the keypad is the keyboard; the system's would cover it.
  if (matchMedia("(pointer: coarse)").matches) amount()?.setAttribute("inputmode", "none");
  document.addEventListener("htmx:after:swap", () => {
    if (matchMedia("(pointer: coarse)").matches) amount()?.setAttribute("inputmode", "none");
  });

  // Browsers allow sound after the first touch; the touch that charges is enough.
  let sound;
  const wake = () => {
    sound ??= new AudioContext();
    sound.resume();
  };
  document.addEventListener("pointerdown", wake);
  document.addEventListener("keydown", wake);

  const note = (frequency, start, length) => {
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    tone.type = "sine";
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.0001, start);
    volume.gain.exponentialRampToValueAtTime(0.5, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + length);
    tone.connect(volume).connect(sound.destination);
    tone.start(start);
    tone.stop(start + length);
  };

  const chime = () => {
    if (sound?.state !== "running") return;
    const now = sound.currentTime;
    note(880, now, 0.35);
    note(1318.5, now + 0.14, 0.6);
  };

  const announce = (text) => {
    if (!window.speechSynthesis) return;
    const words = new SpeechSynthesisUtterance(text);
    words.lang = document.documentElement.lang;
    speechSynthesis.speak(words);
  };

  // The server marks the fragment that turns an order to paid; a page drawn anew has no mark.
  document.addEventListener("htmx:after:swap", () => {
    const paid = document.querySelector("[data-chime]");
    if (!paid) return;
    const words = paid.dataset.chime;
    paid.removeAttribute("data-chime");
    chime();
    setTimeout(() => announce(words), 600);
  });
})();
