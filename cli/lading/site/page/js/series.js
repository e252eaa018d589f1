"use strict";
// The report's tables as series by day, exact to the last digit.
(function () {
  const { data, exact, units } = window.lading;
  const { report, books } = data;
  const REST = "(not broken down)";
  const OTHER = "(other)";
  const NAMES = /** @type {Record<string, string>} */ ({
    [REST]: "not broken down", [OTHER]: "all others", total: "in all",
    uncached_input: "input, not cached", cache_write: "input, written to the cache", cache_read: "input, read from the cache", output: "output",
    web_search: "web search", code_execution: "code execution", session_usage: "sessions",
  });
  const workspaces = new Map(report.workspaces.rows);

  /**
   * Figures by day and key. A day that has not landed has none; of a day that has, a key without a
   * row is zero.
   * @typedef {{days: string[], keys: string[], at: (day: string, key: string) => bigint | null, landed: Set<string>}} Series
   */

  /**
   * @param {any} total The table that says which days have landed, and what they come to.
   * @param {any} parts The table whose keys are wanted; it may be the same.
   * @returns {Series}
   */
  function seriesOf(total, parts) {
    /** @type {Map<string, Map<string, bigint>>} */
    const found = new Map();
    for (const [day, key, value] of parts.rows) {
      if (!found.has(day)) found.set(day, new Map());
      /** @type {Map<string, bigint>} */ (found.get(day)).set(key, exact.exact(value));
    }
    const landed = new Set();
    for (const [day, , value] of total.rows) {
      landed.add(day);
      if (total === parts) continue;
      const keys = found.get(day) || new Map();
      const rest = /** @type {any} */ (exact.exact(value) - exact.sum([...keys.values()]));
      if (rest !== 0n) found.set(day, keys.set(REST, rest));
    }
    const first = [...landed].sort()[0];
    const last = [...landed].sort().at(-1);
    const days = first ? units.daysBetween(first, last) : [];
    const at = (/** @type {string} */ day, /** @type {string} */ key) => (landed.has(day) ? (found.get(day) || new Map()).get(key) ?? 0n : null);
    const keys = [...new Set([...found.values()].flatMap((each) => [...each.keys()]))];
    return { days, keys: ranked(keys, days, at), at, landed };
  }

  /** @param {string[]} keys @param {string[]} days @param {(day: string, key: string) => bigint | null} at The largest first, what is not broken down last. */
  function ranked(keys, days, at) {
    const sums = new Map(keys.map((key) => [key, exact.sum(days.map((/** @type {string} */ day) => at(day, key)))]));
    const size = (/** @type {string} */ key) => /** @type {bigint} */ (sums.get(key));
    const rank = (/** @type {string} */ a, /** @type {string} */ b) => (size(b) > size(a) ? 1 : size(b) < size(a) ? -1 : a.localeCompare(b));
    return keys.sort((a, b) => Number(a === REST) - Number(b === REST) || rank(a, b));
  }

  /** @param {string} first @param {string} last @param {Series} series @param {string} [key] All keys without one. */
  function sumOf(first, last, series, key) {
    const days = units.daysBetween(first, last);
    const keys = key === undefined ? series.keys : [key];
    return exact.sum(days.flatMap((/** @type {string} */ day) => keys.map((each) => series.at(day, each))));
  }

  /** @param {string} stream @returns {string | null} The last day whose figures are final. */
  function finalThrough(stream) {
    const closing = (books.status ? books.status.closing : []).find((/** @type {any} */ each) => each.stream === stream);
    return closing && closing.closed_up_to ? units.dayPlus(closing.closed_up_to, -1) : null;
  }

  /** @param {string} key @returns {string} */
  const labelOf = (key) => NAMES[key] || workspaces.get(key) || key;

  const dates = ["spend_total", "tokens_total", "code"].flatMap((name) => report[name].rows.map((/** @type {any[]} */ row) => row[0])).sort();

  window.lading.series = {
    seriesOf, sumOf, finalThrough, labelOf, REST, OTHER,
    /** The first and the last day that any of the reports has; null without any. */
    first: dates[0] || null,
    last: dates.at(-1) || null,
  };
})();
