// Passkey ceremonies for forms marked data-passkey="register | sign-in | approve | pay".
//
// The ceremony's options come with the form (data-ceremony, data-options) or from the address in
// data-begin, which gets the form's fields and answers {ceremony_id, options} or {message}. Then
// the answer of the authenticator is put into the form as `ceremony_id` and `response_json`, and the
// form is sent as any other. Nothing here decides anything: the security system verifies.
(() => {
  "use strict";

  const WORDS = {
    NotAllowedError: "textCancelled",
    AbortError: "textCancelled",
    TimeoutError: "textLate",
    InvalidStateError: "textKnown",
    NotSupportedError: "textUnsupported",
    SecurityError: "textUnsupported",
    TypeError: "textOffline",
  };

  class Refused extends Error {}

  const supported = () =>
    typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON === "function" &&
    typeof window.PublicKeyCredential?.parseCreationOptionsFromJSON === "function";

  const tell = (form, text) => {
    const place = form.querySelector("[data-passkey-message]");
    place.textContent = text;
    place.hidden = !text;
  };

  const keep = (form, name, value) => {
    let input = form.querySelector(`input[name="${name}"]`);
    if (!input) {
      input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      form.append(input);
    }
    input.value = value;
  };

  const busy = (form, on) => {
    const button = form.querySelector("[type=submit]");
    button.disabled = on;
    if (on) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
  };

  const begin = async (form) => {
    const { begin: address, ceremony, options } = form.dataset;
    // Options given with the form stay good after a cancelled try; the server ends them once used.
    if (options) return { ceremony_id: ceremony, options: JSON.parse(options) };
    const response = await fetch(address, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: {
        Accept: "application/json",
        "X-YiPay": "1",
        "x-csrftoken": form.elements["_csrf_token"].value,
      },
    });
    const answer = await response.json();
    if (!response.ok) throw new Refused(answer.message);
    return answer;
  };

  const perform = (kind, options) =>
    kind === "register"
      ? navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
        })
      : navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
        });

  const run = async (form) => {
    tell(form, "");
    if (!supported()) return tell(form, form.dataset.textUnsupported);
    busy(form, true);
    try {
      const { ceremony_id: ceremonyId, options } = await begin(form);
      const credential = await perform(form.dataset.passkey, options);
      keep(form, "ceremony_id", ceremonyId);
      keep(form, "response_json", JSON.stringify(credential.toJSON()));
      form.submit(); // a plain post; the page that follows says what came of it
    } catch (error) {
      busy(form, false);
      const word = WORDS[error.name] ?? "textCancelled";
      tell(form, error instanceof Refused ? error.message : form.dataset[word]);
    }
  };

  // Before every other listener, htmx's too: the form must not leave without the answer.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (!(form instanceof HTMLFormElement) || !form.dataset.passkey) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!form.querySelector("[type=submit]").disabled) run(form);
    },
    true,
  );

  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-passkey]")) busy(form, false);
  });

  // A link from an older device carries its grant behind "#", which no server ever sees.
  const field = document.querySelector("[data-from-fragment]");
  if (field && location.hash.length > 1) {
    field.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
})();
