// The form of a red packet: the sum and the greeting's length while typing. The server does all of
// it again; without this the page works the same.
(() => {
  "use strict";

  const fen = (text) => {
    const found = /^¥?(\d{1,7})(?:\.(\d{0,2}))?$/.exec(text.normalize("NFKC").trim());
    return found ? Number(found[1]) * 100 + Number((found[2] ?? "").padEnd(2, "0")) : 0;
  };

  const yuan = (amount) => `¥${(amount / 100).toLocaleString("en", { minimumFractionDigits: 2 })}`;

  const draw = () => {
    const form = document.querySelector("form[data-packet]");
    if (!form) return;
    const kind = form.querySelector("[name=kind]:checked")?.value;
    const count = kind === "equal" ? Number.parseInt(form.elements.count.value, 10) || 0 : 1;
    const total = yuan(fen(form.elements.amount.value) * count);
    form.querySelector("[data-sum]").textContent = total;
    form.querySelector("[data-fill]").textContent = `${form.dataset.button} ${total}`;
    const counter = form.querySelector("[data-counter]");
    const typed = [...new Intl.Segmenter().segment(form.elements.greeting.value)].length;
    counter.textContent = `${typed}/${counter.dataset.max}`;
  };

  document.addEventListener("input", (event) => event.target.closest("form[data-packet]") && draw());
  document.addEventListener("htmx:after:swap", draw);
  draw();
})();
