// The sound of money coming in: 收款到账, and in Chinese the amount where it is switched on.
//
// The server marks what has just turned to paid with data-chime, the words to say; a page drawn
// anew has no mark. A checkbox marked data-voice switches the words, and is remembered.
(() => {
  "use strict";

  const KEY = "yipay.voice";
  const SPOKEN = "zh"; // the language that amounts are spoken in

  // Browsers allow sound after the first touch or key; the one that charges is enough.
  let sound;
  // Opening it takes a moment, which the key itself must not wait for.
  const wake = () =>
    setTimeout(() => {
      sound ??= new AudioContext();
      sound.resume();
    });
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

  const language = document.documentElement.lang;
  const voiceOn = () => localStorage.getItem(KEY) !== "off";

  const announce = (text) => {
    if (!window.speechSynthesis || !language.startsWith(SPOKEN) || !voiceOn()) return;
    const words = new SpeechSynthesisUtterance(text);
    words.lang = language;
    speechSynthesis.speak(words);
  };

  const ring = () => {
    for (const paid of document.querySelectorAll("[data-chime]")) {
      const words = paid.dataset.chime;
      paid.removeAttribute("data-chime");
      chime();
      setTimeout(() => announce(words), 600);
    }
  };
  document.addEventListener("htmx:after:swap", ring);

  const showSwitch = () => {
    for (const box of document.querySelectorAll("[data-voice]")) box.checked = voiceOn();
  };
  showSwitch();
  document.addEventListener("htmx:after:swap", showSwitch);
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-voice]")) return;
    localStorage.setItem(KEY, event.target.checked ? "on" : "off");
  });
})();
