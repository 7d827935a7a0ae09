// The camera reads a code and sends its text; what it means is decided on the server.
// A section without a form only tells: it fires scan:found with the text, for its page to use.
// States of the section, in data-scan: idle, asking, denied, none, failed, reading, found.
(() => {
  "use strict";

  const EVERY_MS = 120;
  const SIDE_PX = 640; // of the square from the middle that is read
  const BUZZ_MS = 60;
  const FORMATS = ["qr_code", "code_128"];
  const WORDS = {
    NotAllowedError: "denied",
    SecurityError: "denied",
    NotFoundError: "none",
    OverconstrainedError: "none",
  };

  const section = document.querySelector("[data-scan]");
  if (!section) return;
  const video = section.querySelector("video");
  const said = section.querySelector("[data-scan-state]");
  const torch = section.querySelector("[data-scan-torch]");
  const form = section.querySelector("[data-scan-form]");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE_PX;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let stream = null;
  let turn = 0; // of the camera; what belongs to an earlier one is let go

  const enter = (state) => {
    section.dataset.scan = state;
    said.textContent = section.dataset[`text${state[0].toUpperCase()}${state.slice(1)}`] ?? "";
  };

  const stop = (state = "idle") => {
    turn += 1;
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
    torch.hidden = true;
    torch.setAttribute("aria-pressed", "false");
    enter(state);
  };

  // The browser's own detector where it knows QR codes, else ours.
  const native = async () => {
    if (!("BarcodeDetector" in window)) return null;
    const known = await BarcodeDetector.getSupportedFormats().catch(() => []);
    if (!known.includes("qr_code")) return null;
    const detector = new BarcodeDetector({ formats: FORMATS.filter((f) => known.includes(f)) });
    return async () => (await detector.detect(canvas))[0]?.rawValue;
  };

  const own = async () => {
    const overrides = { locateFile: () => section.dataset.wasm };
    await ZXingWASM.prepareZXingModule({ overrides, fireImmediately: true });
    const options = { formats: ["QRCode", "Code128"], maxNumberOfSymbols: 1, tryHarder: true };
    return async () => {
      const picture = context.getImageData(0, 0, SIDE_PX, SIDE_PX);
      return (await ZXingWASM.readBarcodes(picture, options)).find((code) => code.isValid)?.text;
    };
  };

  const crop = () => {
    const side = Math.min(video.videoWidth, video.videoHeight);
    const left = (video.videoWidth - side) / 2;
    const top = (video.videoHeight - side) / 2;
    context.drawImage(video, left, top, side, side, 0, 0, SIDE_PX, SIDE_PX);
    return side > 0;
  };

  const found = (text) => {
    stop("found");
    navigator.vibrate?.(BUZZ_MS);
    if (!form) {
      const told = new CustomEvent("scan:found", { bubbles: true, detail: { text } });
      return void section.dispatchEvent(told);
    }
    form.elements.text.value = text;
    form.submit();
  };

  const look = async (detect, mine) => {
    while (mine === turn && video.isConnected) {
      const text = crop() ? await detect() : "";
      if (mine !== turn) return;
      if (text) return found(text);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    if (mine === turn) stop();
  };

  const light = (track) => {
    torch.hidden = !track.getCapabilities?.().torch;
    torch.onclick = async () => {
      const on = torch.getAttribute("aria-pressed") !== "true";
      await track.applyConstraints({ advanced: [{ torch: on }] }).catch(() => {});
      torch.setAttribute("aria-pressed", String(on));
    };
  };

  const start = async () => {
    stop("asking");
    const mine = turn;
    try {
      if (!navigator.mediaDevices?.getUserMedia) return stop("none");
      const wanted = { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } };
      const given = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      if (mine !== turn) return given.getTracks().forEach((track) => track.stop());
      stream = given;
      const [track] = stream.getVideoTracks();
      track.addEventListener("ended", () => mine === turn && stop("failed"));
      video.srcObject = stream;
      await video.play();
      const detect = (await native()) ?? (await own());
      if (mine !== turn) return;
      light(track);
      enter("reading");
      section.querySelector("[data-scan-stop]").focus();
      await look(detect, mine);
    } catch (error) {
      if (mine === turn) stop(WORDS[error.name] ?? "failed");
    }
  };

  section.querySelector("[data-scan-start]").addEventListener("click", start);
  section.querySelector("[data-scan-stop]").addEventListener("click", () => {
    stop();
    section.querySelector("[data-scan-start]").focus();
  });

  // Nobody looks: no camera. It opens again with the next tap.
  document.addEventListener("visibilitychange", () => document.hidden && stream && stop());
  window.addEventListener("pagehide", () => stop());

  // A chosen picture is sent at once.
  const album = document.querySelector("[data-scan-album]");
  album?.querySelector("input[type=file]").addEventListener("change", (event) => {
    if (event.target.files.length) album.requestSubmit();
  });
})();
