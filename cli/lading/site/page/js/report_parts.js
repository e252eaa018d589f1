"use strict";
// Parts of the report: stacks by day with the table behind them, movers, restatements.
(function () {
  const { dom, parts, exact, units, series, charts } = window.lading;
  const { el } = dom;
  const MOST = 7;

  /**
   * What is measured: how figures are written, whole and for an axis.
   * @typedef {{write: (value: bigint, signed?: boolean) => string, axis: (value: number) => string, stream: string}} Measure
   */
  const DOLLARS = { write: units.dollars, axis: (/** @type {number} */ value) => units.short(value, "$"), stream: "cost_report" };
  const TOKENS = { write: units.count, axis: (/** @type {number} */ value) => units.short(value), stream: "usage_messages" };

  /** @param {any} table @returns {HTMLElement} */
  const reason = (table) => parts.missing(table.reason, table.hint);

  /** @param {string} stream @returns {string | null} The first day that is not final. */
  function openFrom(stream) {
    const last = series.finalThrough(stream);
    return last ? units.dayPlus(last, 1) : null;
  }

  /**
   * Bars by day: the largest keys one by one, the others as one.
   * @param {any} found @param {string[]} days @param {Measure} measure @param {string} label
   */
  function stack(found, days, measure, label) {
    const sums = new Map(found.keys.map((/** @type {string} */ key) => [key, series.sumOf(days[0], /** @type {string} */ (days.at(-1)), found, key)]));
    const named = found.keys.filter((/** @type {string} */ key) => key !== series.REST).slice(0, MOST);
    const others = found.keys.filter((/** @type {string} */ key) => key !== series.REST).slice(MOST);
    const lines = named.map((/** @type {string} */ key, /** @type {number} */ place) => line(key, place, days, (day) => found.at(day, key), measure));
    if (others.length) lines.push(line(series.OTHER, -1, days, (day) => (found.landed.has(day) ? exact.sum(others.map((/** @type {string} */ key) => found.at(day, key))) : null), measure));
    if (found.keys.includes(series.REST)) lines.push(line(series.REST, -1, days, (day) => found.at(day, series.REST), measure));
    const inAll = days.map((day) => (found.landed.has(day) ? measure.write(exact.sum(found.keys.map((/** @type {string} */ key) => found.at(day, key)))) : "not landed"));
    const keys = [...named.map((/** @type {string} */ key, /** @type {number} */ place) => ({ name: series.labelOf(key), place, text: measure.write(sums.get(key)) })),
      ...(others.length ? [{ name: `${units.many(others.length, "other")}`, place: -1, text: measure.write(exact.sum(others.map((/** @type {string} */ key) => sums.get(key)))) }] : []),
      ...(found.keys.includes(series.REST) ? [{ name: series.labelOf(series.REST), place: -1, text: measure.write(sums.get(series.REST)) }] : [])];
    return el("div", {},
      charts.draw({ days, lines, kind: "bar", axis: measure.axis, sums: lines.length > 1 ? inAll : null, openFrom: openFrom(measure.stream), label }),
      lines.length > 1 ? charts.legend(keys) : null,
      behind(label, () => dayTable(found, days, measure)));
  }

  /** @param {string} key @param {number} place @param {string[]} days @param {(day: string) => bigint | null} at @param {Measure} measure */
  function line(key, place, days, at, measure) {
    const figures = days.map(at);
    return {
      name: series.labelOf(key), place, values: figures.map((each) => (each === null ? null : exact.number(each))),
      texts: figures.map((each) => (each === null ? "not landed" : measure.write(each))),
    };
  }

  /**
   * A table that is made when it is looked at.
   * @param {string} label @param {() => {headings: any[], rows: string[][]}} make
   * @param {string} [title] @param {string} [note]
   */
  function behind(label, make, title = "The table behind it", note = "Exact, newest day first. UTC.") {
    const holder = el("div", {});
    return el("details", { class: "more", ontoggle: () => {
      if (holder.childElementCount) return;
      const { headings, rows } = make();
      const text = () => [headings.map((each) => each.text || each), ...rows].map((row) => row.join("\t")).join("\n");
      const table = dom.table(headings, rows, label);
      table.classList.add("long");
      holder.append(el("div", { class: "toolbar" }, el("span", { class: "muted small", text: note }), dom.copyButton(text, "Copy table")), table);
    } }, el("summary", { text: title }), holder);
  }

  /** @param {any} found @param {string[]} days @param {Measure} measure */
  function dayTable(found, days, measure) {
    const isSplit = found.keys.length > 1;
    const open = openFrom(measure.stream);
    const write = (/** @type {bigint | null} */ value) => (value === null ? "not landed" : measure.write(value));
    const rows = [...days].reverse().map((day) => {
      const figures = found.keys.map((/** @type {string} */ key) => found.at(day, key));
      const all = found.landed.has(day) ? exact.sum(figures) : null;
      return [day, ...(isSplit ? figures.map(write) : []), write(all), open && day >= open ? "not yet" : open ? "final" : "–"];
    });
    const number = (/** @type {string} */ text) => ({ text, number: true });
    return { headings: ["Day", ...(isSplit ? found.keys.map((/** @type {string} */ key) => number(series.labelOf(key))) : []), number("In all"), "Final"], rows };
  }

  /** @param {any} found @param {Measure} measure @returns {HTMLElement} The last 7 final days against the 7 before. */
  function movers(found, measure) {
    const last = series.finalThrough(measure.stream);
    const end = last && found.days.length && last > found.days.at(-1) ? found.days.at(-1) : last;
    if (!end || !found.days.length || units.dayPlus(end, -13) < found.days[0]) return parts.missing("there are no 14 final days yet", null);
    const [start, before] = [units.dayPlus(end, -6), units.dayPlus(end, -13)];
    const rows = found.keys.map((/** @type {string} */ key) => {
      const now = series.sumOf(start, end, found, key);
      const then = series.sumOf(before, units.dayPlus(start, -1), found, key);
      return { key, now, then, moved: now - then };
    }).filter((/** @type {any} */ each) => each.now !== 0n || each.then !== 0n);
    const size = (/** @type {bigint} */ value) => (value < 0n ? -value : value);
    rows.sort((/** @type {any} */ a, /** @type {any} */ b) => (size(b.moved) > size(a.moved) ? 1 : size(b.moved) < size(a.moved) ? -1 : 0));
    const most = rows.length ? exact.number(size(rows[0].moved)) || 1 : 1;
    const span = (/** @type {string} */ a, /** @type {string} */ b) => `${units.dayText(a)} – ${units.dayText(b)}`;
    const number = (/** @type {string} */ text) => ({ text, number: true });
    const table = dom.table(["", number(span(start, end)), number(span(before, units.dayPlus(start, -1))), number("Change"), number("%"), ""],
      rows.slice(0, 10).map((/** @type {any} */ each) => [el("b", { text: series.labelOf(each.key) }), measure.write(each.now), measure.write(each.then), measure.write(each.moved, true), change(each.moved, each.then), bar(each.moved, most)]), "Top movers");
    table.classList.add("movers");
    return table;
  }

  /** @param {bigint} moved @param {bigint} before */
  function change(moved, before) {
    const share = units.share(moved, before);
    return share === null ? "new" : `${share > 0 ? "+" : ""}${units.percent(share)}`;
  }

  /** @param {bigint} moved @param {number} most */
  const bar = (moved, most) =>
    el("span", { class: `delta ${moved > 0n ? "up" : "down"}`, style: `width: ${Math.max(1, Math.round((Math.abs(exact.number(moved)) / most) * 100))}%`, "aria-hidden": "true" });

  /** @param {any} table @returns {HTMLElement} */
  function restatements(table) {
    if (!table.rows.length) return table.hint || !/has no rows/.test(table.reason) ? reason(table) : el("p", { class: "muted", text: "No closed day has come back different." });
    const figure = (/** @type {string | null} */ text, signed = false) => (text === null ? "–" : units.count(exact.exact(text), signed));
    const number = (/** @type {string} */ text) => ({ text, number: true });
    return dom.table(["Seen (UTC)", "Stream", "Day", "Grouped by", "Figure", number("Before"), number("After"), number("Moved")],
      table.rows.map((/** @type {any[]} */ [at, stream, day, groups, field, before, after, moved]) => [
        parts.when(at), stream, day.slice(0, 10), (groups || []).join(", ") || "–", el("code", { text: field || "no sum" }), figure(before), figure(after), figure(moved, true),
      ]), "Restatements");
  }

  window.lading.reportParts = { DOLLARS, TOKENS, reason, openFrom, stack, behind, movers, restatements, change };
})();
