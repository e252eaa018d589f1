"use strict";
// Pieces that several pages are made of.
(function () {
  const { dom, project, units } = window.lading;
  const { el } = dom;
  const LABELS = /** @type {Record<string, string>} */ ({
    source: "source", staging: "staging model", mart: "mart", resource: "rows for mappings", mapping: "mapping", blueprint: "blueprint",
    test: "test",
  });

  /** @param {string} group */
  const dot = (group) => el("span", { class: "dot", style: `--kind: var(--${group})`, "aria-hidden": "true" });

  /** @param {any} node */
  function kindBadge(node) {
    const group = project.groupOf(node);
    const text = group === "test" ? `${node.test_type} test` : LABELS[group];
    return el("span", { class: "badge kind", style: `--kind: var(--${group})`, text });
  }

  /** @param {string} id @param {string} [text] A link to a node's page; plain where there is none. */
  function nodeLink(id, text) {
    const node = project.nodes[id];
    if (!node) return el("span", { class: "muted", text: text || id });
    return el("a", { class: "node", href: project.hrefOf(id) }, dot(project.groupOf(node)), text || node.name);
  }

  /** @param {{status: string, tone: string}} result */
  const resultBadge = (result) => el("span", { class: `badge ${result.tone}`, text: result.status });

  /** @param {string} id */
  function tallyBadges(id) {
    const found = project.tally(id);
    if (!found.all) return el("span", { class: "muted small", text: "no tests" });
    return el("span", { class: "badges" },
      found.bad ? el("span", { class: "badge bad", text: `${found.bad} failed` }) : null,
      found.warn ? el("span", { class: "badge warn", text: `${found.warn} warned` }) : null,
      found.pass ? el("span", { class: "badge good", text: `${found.pass} passed` }) : null,
      found.other ? el("span", { class: "badge", text: `${found.other} not run` }) : null);
  }

  /**
   * Text in which `code` stands between backquotes, and a blank line parts paragraphs.
   * @param {string} text @returns {HTMLElement[]}
   */
  const prose = (text) => text.split(/\n\s*\n/).filter(Boolean).map((paragraph) =>
    el("p", {}, paragraph.split(/(`[^`]+`)/).map((piece) => (/^`.+`$/.test(piece) ? el("code", { text: piece.slice(1, -1) }) : piece))));

  /** @param {string} reason @param {string | null} [hint] @returns {HTMLElement} What is not there, and what to do. */
  const missing = (reason, hint) =>
    el("div", { class: "note" }, el("b", { text: reason }), hint ? prose(`. ${hint}`.replace(/^\. (.)/, (_, first) => ` – ${first}`)).map((each) => el("span", {}, [...each.childNodes])) : null);

  /** @param {string} title @param {string | null} about @param {...any} content @returns {HTMLElement} */
  function card(title, about, ...content) {
    return el("section", { class: "card" }, el("header", {}, el("h2", { text: title }), about ? el("p", { text: about }) : null), ...content);
  }

  /** @param {string} title @param {any} about @param {...any} extra */
  const heading = (title, about, ...extra) =>
    el("header", { class: "heading" }, el("div", {}, el("h1", { text: title }), about ? el("p", { class: "muted" }, about) : null), ...extra);

  /** @param {string | null | undefined} moment */
  const when = (moment) => (moment ? el("time", { datetime: moment, title: `${moment} (UTC)`, text: units.momentText(moment) }) : "–");

  /** @param {...any} content */
  const page = (...content) => el("div", { class: "page" }, ...content);

  window.lading.parts = { dot, kindBadge, nodeLink, resultBadge, tallyBadges, prose, missing, card, heading, when, page, LABELS };
})();
