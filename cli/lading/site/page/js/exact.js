"use strict";
// Exact figures: whole numbers of 10^-38, which no figure of the database goes below.
(function () {
  const SCALE = 38;
  const ONE = 10n ** BigInt(SCALE);

  /** @param {string} text A decimal figure. @returns {bigint} */
  function exact(text) {
    const minus = text.startsWith("-");
    const [whole, rest = ""] = text.replace("-", "").split(".");
    const value = BigInt(whole + rest.padEnd(SCALE, "0").slice(0, SCALE));
    return minus ? -value : value;
  }

  /** @param {bigint} value @returns {string} Every digit of it, and no zero at the end. */
  function text(value) {
    const digits = (value < 0n ? -value : value).toString().padStart(SCALE + 1, "0");
    const rest = digits.slice(-SCALE).replace(/0+$/, "");
    return `${value < 0n ? "-" : ""}${digits.slice(0, -SCALE)}${rest ? `.${rest}` : ""}`;
  }

  /** @param {bigint} value @returns {number} The nearest number, to draw and to sort by. */
  const number = (value) => Number(text(value));

  /** @param {Array<bigint | null>} values @returns {bigint} */
  const sum = (values) => values.reduce((/** @type {bigint} */ total, each) => total + (each ?? 0n), 0n);

  window.lading.exact = { exact, text, number, sum, ONE };
})();
