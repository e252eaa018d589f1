"use strict";
// Charts: drawn from the nearest numbers, told by the exact texts.
(function () {
  const { dom, theme, units } = window.lading;
  const { el } = dom;
  const COLOURS = 8;
  /** @type {Set<() => void>} */
  const drawn = new Set();

  const isDark = () => document.documentElement.dataset.theme === "dark";

  /** @param {number} place @returns {string} The name of the colour of a series by its rank; -1 is what is left. */
  const nameAt = (place) => (place < 0 ? "rest" : `series-${place % COLOURS}`);

  /** @param {number} place */
  const dotAt = (place) => el("span", { class: "dot", style: `--kind: var(--${nameAt(place)})` });

  /**
   * @typedef {{name: string, place: number, values: Array<number | null>, texts: string[]}} Line
   * @typedef {{days: string[], lines: Line[], kind: "bar" | "area" | "line", axis: (value: number) => string, sums?: string[] | null,
   *   openFrom?: string | null, low?: boolean, most?: number | null, label: string}} Chart
   */

  /** @param {Chart} chart @returns {any} */
  function option(chart) {
    const [ink, muted, line, surface] = ["text", "muted", "line", "surface"].map(theme.colour);
    const isBar = chart.kind === "bar";
    const few = chart.days.length <= 45;
    const open = chart.openFrom && chart.days.some((day) => day >= /** @type {string} */ (chart.openFrom)) ? openArea(chart, muted) : undefined;
    return {
      animationDuration: 350,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      grid: { left: 4, right: 8, top: open ? 26 : 14, bottom: 2, containLabel: true },
      tooltip: {
        trigger: "axis", confine: true, appendTo: "body", axisPointer: { type: isBar ? "shadow" : "line", shadowStyle: { color: isDark() ? "rgba(255,255,255,.06)" : "rgba(0,0,0,.05)" }, lineStyle: { color: muted } },
        backgroundColor: surface, borderColor: line, padding: [10, 14], textStyle: { color: ink }, extraCssText: "border-radius:10px;box-shadow:0 8px 30px rgba(0,0,0,.18);max-width:min(380px,90vw);",
        formatter: (/** @type {any[]} */ points) => tip(chart, points[0].dataIndex),
      },
      xAxis: {
        type: "category", data: chart.days, boundaryGap: isBar, axisTick: { show: false }, axisLine: { lineStyle: { color: line } },
        axisLabel: { color: muted, fontSize: 11.5, hideOverlap: true, margin: 10, formatter: (/** @type {string} */ day) => units.dayText(day) },
      },
      yAxis: {
        type: "value", max: chart.most ?? undefined, splitNumber: chart.low ? 2 : 4, axisLabel: { color: muted, fontSize: 11.5, formatter: chart.axis },
        splitLine: { lineStyle: { color: line } },
      },
      series: chart.lines.map((each, n) => ({
        name: each.name, type: isBar ? "bar" : "line", stack: chart.kind === "line" ? undefined : "all", data: each.values, color: theme.colour(nameAt(each.place)),
        barMaxWidth: 30, barCategoryGap: few ? "28%" : "12%", showSymbol: few, symbol: "circle", symbolSize: 4, connectNulls: false,
        itemStyle: chart.kind === "line" && n ? { opacity: 0.6 } : undefined, lineStyle: n === 0 ? { width: 2.4 } : { width: 1.4, opacity: 0.6 }, areaStyle: chart.kind === "area" ? { opacity: 0.75 } : undefined, emphasis: { disabled: true },
        markArea: n === 0 ? open : undefined,
      })),
    };
  }

  /** @param {Chart} chart @param {string} muted Days whose figures may still change. */
  function openArea(chart, muted) {
    const from = chart.days.find((day) => day >= /** @type {string} */ (chart.openFrom));
    return {
      silent: true, itemStyle: { color: isDark() ? "rgba(255,255,255,.045)" : "rgba(0,0,0,.035)" },
      label: { show: true, position: "insideTopRight", distance: -2, offset: [0, -18], color: muted, fontSize: 11, formatter: "not final" },
      data: [[{ xAxis: from }, { xAxis: chart.days.at(-1) }]],
    };
  }

  /** @param {Chart} chart @param {number} at @returns {HTMLElement} */
  function tip(chart, at) {
    const day = chart.days[at];
    const open = chart.openFrom && day >= chart.openFrom;
    const rows = chart.lines.map((each) => ({ each, text: each.texts[at] })).filter(({ text }) => text !== "0" && text !== "$0.00");
    if (chart.kind !== "line") rows.reverse();
    return el("div", { class: "tip" },
      el("b", { text: units.dayText(day, true) }), open ? el("span", { class: "open", text: "  not final yet" }) : null,
      el("table", {}, el("tbody", {}, rows.map(({ each, text }) =>
        el("tr", {}, el("td", {}, dotAt(each.place), each.name), el("td", { text }))),
        chart.sums ? el("tr", { class: "sum" }, el("td", { text: "in all" }), el("td", { text: chart.sums[at] })) : null)));
  }

  /**
   * A chart in a box of its own, which keeps up with the theme and the width.
   * @param {Chart} chart @returns {HTMLElement}
   */
  function draw(chart) {
    const box = el("div", { class: chart.low ? "chart low" : "chart", role: "img", "aria-label": chart.label });
    /** @type {any} */
    let made = null;
    const redraw = () => {
      if (made) made.dispose();
      made = window.echarts.init(box, null, { renderer: "canvas" });
      made.setOption(option(chart));
    };
    const watch = new ResizeObserver(() => {
      if (!box.clientWidth) return;
      if (made) made.resize();
      else redraw();
    });
    watch.observe(box);
    const again = () => made && redraw();
    drawn.add(again);
    /** @type {any} */ (box).leave = () => {
      watch.disconnect();
      drawn.delete(again);
      if (made) made.dispose();
    };
    return box;
  }

  /** @param {Element} within Ends the charts in it. */
  const leave = (within) => within.querySelectorAll(".chart").forEach((each) => /** @type {any} */ (each).leave && /** @type {any} */ (each).leave());

  /** @param {Array<{name: string, place: number, text: string}>} keys */
  const legend = (keys) =>
    el("ul", { class: "keyed" }, keys.map((each) => el("li", {}, dotAt(each.place), each.name, el("b", { text: each.text }))));

  theme.whenChanged(() => drawn.forEach((again) => again()));
  window.lading.charts = { draw, leave, legend };
})();
