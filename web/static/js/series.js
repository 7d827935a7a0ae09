// The one interactive chart: takings hour by hour. Without it the table says the same.
(() => {
  "use strict";

  const HEIGHT = 260;
  const place = document.querySelector("[data-series]");
  if (!place || !window.uPlot) return;
  const words = place.dataset;
  const zoned = (seconds) => uPlot.tzDate(new Date(seconds * 1000), words.zone);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const yuan = (value) =>
    value === null || value === undefined
      ? "—"
      : `¥${value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  const short = (value) => (value >= 10000 ? `${value / 1000}k` : String(value));

  const options = (width) => {
    const axis = {
      stroke: colour("--text-2"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
      font: `12px ${getComputedStyle(document.body).fontFamily}`,
    };
    return {
      width,
      height: HEIGHT,
      tzDate: zoned,
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
      axes: [
        {
          ...axis,
          values: [
            [86400, "{M}/{D}", "\n{YYYY}", null, null, null, null, null, 1],
            [3600, "{HH}:{mm}", "\n{M}/{D}", null, null, null, null, null, 1],
            [60, "{HH}:{mm}", "\n{M}/{D}", null, null, null, null, null, 1],
          ],
        },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(short) },
      ],
      series: [
        { label: words.labelTime, value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
        {
          label: words.labelAmount,
          stroke: colour("--brand"),
          fill: colour("--brand-soft"),
          width: 1.5,
          points: { show: false },
          value: (_, value) => yuan(value),
        },
        { label: words.labelCount, scale: "count", stroke: "transparent", points: { show: false } },
      ],
    };
  };

  const draw = (data) => {
    place.hidden = false;
    const rows = [data.at, data.fen.map((fen) => fen / 100), data.count];
    let chart = new uPlot(options(place.clientWidth), rows, place);
    new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      chart.destroy();
      chart = new uPlot(options(place.clientWidth), rows, place);
    });
    document.querySelector("[data-series-table]")?.removeAttribute("open");
    document.querySelector("[data-series-hint]")?.removeAttribute("hidden");
  };

  fetch(words.series, { headers: { accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then(draw)
    .catch(() => {}); // the table stays
})();
