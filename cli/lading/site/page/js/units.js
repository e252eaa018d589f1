"use strict";
// Figures, days and spans as people read them. Times are UTC.
(function () {
  const { exact } = window.lading;
  const STEPS = /** @type {Array<[number, string]>} */ ([[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]);
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const DAY = 86400000;

  /** @param {string} text Digits. */
  const grouped = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

  /** @param {bigint} value @param {boolean} [signed] @returns {[string, string]} What everybody reads, and the digits behind. */
  function dollarParts(value, signed = false) {
    const [whole, rest = ""] = exact.text(value < 0n ? -value : value).split(".");
    const sign = value < 0n ? "−" : signed && value > 0n ? "+" : "";
    const digits = rest.padEnd(2, "0");
    return [`${sign}$${grouped(whole)}.${digits.slice(0, 2)}`, digits.slice(2)];
  }

  /** @param {bigint} value @param {boolean} [signed] @returns {string} Every digit. */
  const dollars = (value, signed) => dollarParts(value, signed).join("");

  /** @param {bigint} value @param {boolean} [signed] @returns {string} */
  function count(value, signed = false) {
    const [whole, rest] = exact.text(value < 0n ? -value : value).split(".");
    const sign = value < 0n ? "−" : signed && value > 0n ? "+" : "";
    return `${sign}${grouped(whole)}${rest ? `.${rest}` : ""}`;
  }

  /** @param {number} value @param {string} [before] @returns {string} Short, for an axis: $1.2k. */
  function short(value, before = "") {
    const size = Math.abs(value);
    const sign = value < 0 ? "−" : "";
    const [by, letter] = STEPS.find(([step]) => size >= step) || [1, ""];
    const shown = size / by;
    const digits = shown >= 100 || Number.isInteger(shown) ? 0 : shown < 1 ? 2 : 1;
    return `${sign}${before}${shown.toFixed(digits)}${letter}`;
  }

  /** @param {number} share @param {number} [digits] */
  const percent = (share, digits = 1) => `${share < 0 ? "−" : ""}${(Math.abs(share) * 100).toFixed(digits)}%`;

  /** @param {bigint} part @param {bigint} whole @returns {number | null} */
  const share = (part, whole) => (whole === 0n ? null : exact.number(part) / exact.number(whole));

  /** @param {string} day As 2026-01-31. @param {boolean} [year] */
  function dayText(day, year = false) {
    const [y, m, d] = day.slice(0, 10).split("-");
    return `${Number(d)} ${MONTHS[Number(m) - 1]}${year ? ` ${y}` : ""}`;
  }

  /** @param {string | null | undefined} moment @returns {string} */
  const momentText = (moment) => (moment ? `${moment.slice(0, 10)} ${moment.slice(11, 16)}` : "–");

  /** @param {number | null | undefined} seconds */
  function spanText(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds === 0) return "0 s";
    if (seconds < 0.01) return "< 10 ms";
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
    return `${Math.round(seconds / 86400)} d`;
  }

  /** @param {string} day @param {number} days */
  const dayPlus = (day, days) => new Date(Date.parse(`${day.slice(0, 10)}T00:00:00Z`) + days * DAY).toISOString().slice(0, 10);

  /** @param {string} first @param {string} last @returns {string[]} All days, both ends among them. */
  function daysBetween(first, last) {
    const found = [];
    for (let day = first; day <= last; day = dayPlus(day, 1)) found.push(day);
    return found;
  }

  /** @param {number} number @param {string} noun @param {string} [plural] */
  const many = (number, noun, plural) => `${grouped(String(number))} ${number === 1 ? noun : plural || `${noun}s`}`;

  window.lading.units = { dollars, dollarParts, count, short, percent, share, dayText, momentText, spanText, dayPlus, daysBetween, many };
})();
