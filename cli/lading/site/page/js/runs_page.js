"use strict";
// Runs, freshness, what is missing, what Port holds: as `lading status` says it.
(function () {
  const { dom, parts, units, data } = window.lading;
  const { el } = dom;
  const NUMBER = (/** @type {string} */ text) => ({ text, number: true });
  const TONES = /** @type {Record<string, string>} */ ({
    done: "good", fresh: "good", ok: "good", pass: "good", warn: "warn", incomplete: "warn", running: "warn", stale: "bad", error: "bad", failed: "bad", died: "bad", never: "bad",
    differs: "bad", gap: "bad", "not asked": "warn", open: "",
  });

  /** @returns {HTMLElement} */
  function runsPage() {
    const { status, reason, hint } = data.books;
    const title = parts.heading("Runs and freshness", "What the books in the database say. All times are UTC.");
    if (!status) return parts.page(title, parts.missing(reason, hint));
    return parts.page(title, freshness(status), runs(status), missing(status), port(status), refused(status));
  }

  /** @param {string} state */
  const badge = (state) => el("span", { class: `badge ${TONES[state] || ""}`, text: state });

  /** @param {any} value */
  const count = (value) => (value === null || value === undefined ? "–" : units.count(BigInt(value) * window.lading.exact.ONE));

  /** @param {string} title @param {string} about @param {HTMLElement} content */
  const tableCard = (title, about, content) =>
    el("section", { class: "card plain" }, el("header", { class: "inset" }, el("h2", { text: title }), about ? el("p", { class: "muted small", text: about }) : null), content);

  /** @param {any} status */
  function freshness(status) {
    const closing = new Map(status.closing.map((/** @type {any} */ each) => [each.stream, each]));
    const rows = status.freshness.map((/** @type {any} */ each) => {
      const close = /** @type {any} */ (closing.get(each.stream));
      return [
        el("b", { text: each.stream }), badge(each.state), parts.when(each.up_to), units.spanText(each.behind_seconds),
        close ? (close.closed_up_to ? units.dayText(units.dayPlus(close.closed_up_to, -1), true) : "none yet") : el("span", { class: "muted", text: "a list" }),
        close ? parts.when(close.next_closes_at) : "",
      ];
    });
    return tableCard("Freshness", "Figures of a day are final once it was fetched after its lookback.", dom.table(["Stream", "State", "Landed up to", NUMBER("Behind"), "Final through", "Next day is final"], rows, "Freshness"));
  }

  /** @param {any} status */
  function runs(status) {
    const rows = status.runs.map((/** @type {any} */ each) => [
      parts.when(each.started_at), el("code", { text: each.command }), badge(each.status), units.spanText(each.seconds),
      count(each.requests), count(each.records), count(each.entities), count(each.refused),
      el("span", { class: "small", text: each.error || (each.failed ? `${each.failed} requests failed` : "") }),
    ]);
    return tableCard("Last runs", "", dom.table(["Started", "Command", "Result", NUMBER("Took"), NUMBER("Ranges"), NUMBER("Records"), NUMBER("Pushed"), NUMBER("Refused"), ""], rows, "Runs"));
  }

  /** @param {any} status */
  function missing(status) {
    const rows = status.missing.map((/** @type {any} */ each) => [
      el("b", { text: each.stream }), (each.request.group_by || []).join(", ") || "–", badge(each.state), parts.when(each.starting_at), parts.when(each.ending_at), count(each.slices), el("span", { class: "small", text: each.why }),
    ]);
    if (!rows.length) return null;
    return tableCard("What is missing, or not for good", "", dom.table(["Stream", "Grouped by", "State", "From", "To", NUMBER("Slices"), "Why"], rows, "Missing"));
  }

  /** @param {any} status */
  function port(status) {
    const rows = status.port.map((/** @type {any} */ each) => [
      parts.nodeLink(`blueprint.${each.blueprint}`, each.blueprint), el("span", { class: "small mono muted", text: each.destination || "–" }),
      count(each.entities), count(each.planned), count(each.missing), count(each.different), count(each.surplus), count(each.refused), parts.when(each.pushed_at),
    ]);
    if (!rows.length) return null;
    return tableCard("What Port holds", "By the books, against the last plan.", dom.table(["Blueprint", "Destination", NUMBER("Holds"), NUMBER("Planned"), NUMBER("Missing"), NUMBER("Different"), NUMBER("Surplus"), NUMBER("Refused"), "Last pushed"], rows, "Port"));
  }

  /** @param {any} status */
  function refused(status) {
    if (!status.refused.length) return null;
    const rows = status.refused.slice(0, 100).map((/** @type {any} */ each) => [
      parts.nodeLink(`blueprint.${each.blueprint}`, each.blueprint), el("code", { text: each.identifier }), each.error || "", el("span", { class: "small", text: each.message || "" }), parts.when(each.refused_at),
    ]);
    const about = status.refused.length > 100 ? `The first 100 of ${units.many(status.refused.length, "entity", "entities")}.` : "";
    return tableCard("What Port refuses", about, dom.table(["Blueprint", "Entity", "Error", "Reason", "When"], rows, "Refused"));
  }

  window.lading.runsPage = runsPage;
})();
