// Buttons marked data-copy="<id>" put that element's text on the clipboard and say so politely.
// Without a clipboard they stay hidden: the text can be selected by hand.
(() => {
  "use strict";

  const prepare = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button[data-copy][hidden]")) {
      button.hidden = false;
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    const toast = document.createElement("p");
    toast.className = "toast";
    toast.textContent = button.dataset.copied;
    document.getElementById("polite").replaceChildren(toast);
    setTimeout(() => toast.remove(), 2500);
  });

  prepare();
  document.addEventListener("htmx:after:swap", prepare);
})();
