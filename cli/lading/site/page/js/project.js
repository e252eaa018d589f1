"use strict";
// The project as the data has it, by ids: nodes, what hangs together, tests and their last results.
(function () {
  const lading = window.lading;
  const { data } = lading;
  /** @type {Record<string, any>} */
  const nodes = data.project.nodes;
  const books = data.books;
  /** The groups of the lists, in the order in which a figure goes through them. */
  const GROUPS = [
    ["source", "Sources"],
    ["staging", "Staging"],
    ["mart", "Marts"],
    ["resource", "Rows for mappings"],
    ["mapping", "Mappings"],
    ["blueprint", "Blueprints"],
  ];
  const TESTS = ["test", "unit_test", "mapping_test"];

  /** @param {any} node @returns {string} The group that it is of. */
  function groupOf(node) {
    if (node.resource_type !== "model") return TESTS.includes(node.resource_type) ? "test" : node.resource_type;
    if (!node.relation) return "resource";
    return node.schema === "staging" ? "staging" : "mart";
  }

  const shown = Object.values(nodes).filter((each) => groupOf(each) !== "test");
  const tests = Object.values(nodes).filter((each) => groupOf(each) === "test");
  const ids = new Set(shown.map((each) => each.unique_id));
  /** @type {Record<string, string[]>} */
  const parents = {};
  /** @type {Record<string, string[]>} */
  const children = Object.fromEntries(shown.map((each) => [each.unique_id, []]));
  for (const node of shown) {
    parents[node.unique_id] = node.depends_on.filter((/** @type {string} */ each) => ids.has(each));
    parents[node.unique_id].forEach((each) => children[each].push(node.unique_id));
  }
  /** @type {Record<string, any[]>} */
  const testsOf = {};
  for (const test of tests) {
    for (const about of test.attached_to ? [test.attached_to] : test.depends_on) (testsOf[about] = testsOf[about] || []).push(test);
  }

  /**
   * What is reached from a node, itself left out.
   * @param {string} id @param {Record<string, string[]>} next @returns {Set<string>}
   */
  function reached(id, next) {
    const found = new Set();
    const waiting = [...(next[id] || [])];
    while (waiting.length) {
      const each = /** @type {string} */ (waiting.pop());
      if (found.has(each)) continue;
      found.add(each);
      waiting.push(...(next[each] || []));
    }
    return found;
  }

  /** The words that results come in, and what they are here. */
  const MEANS = /** @type {Record<string, string>} */ ({
    pass: "good", ok: "good", success: "good", "up-to-date": "good", warn: "warn", skipped: "", fail: "bad", error: "bad",
  });

  /**
   * How a test ended last: by the last command if that ran it, else by the books.
   * @param {string} id @returns {{status: string, tone: string, at: string | null, failures: number | null, message: string | null, details: string[], seconds: number | null}}
   */
  function resultOf(id) {
    const last = books.results && books.results.results[id];
    const kept = books.made[id];
    if (last) {
      const at = (last.timing && last.timing.completed_at) || books.results.metadata.generated_at || null;
      return { status: last.status, tone: MEANS[last.status] || "", at, failures: last.failures, message: last.message, details: last.details || [], seconds: last.execution_time };
    }
    if (kept) {
      const status = kept.status === "ok" ? "pass" : kept.status;
      return { status, tone: MEANS[status] || "", at: kept.made_at, failures: null, message: null, details: [], seconds: null };
    }
    return { status: "not run", tone: "", at: null, failures: null, message: null, details: [], seconds: null };
  }

  /** @param {string} id @returns {{pass: number, warn: number, bad: number, other: number, all: number}} */
  function tally(id) {
    const found = { pass: 0, warn: 0, bad: 0, other: 0, all: 0 };
    for (const test of testsOf[id] || []) {
      const tone = resultOf(test.unique_id).tone;
      found.all += 1;
      if (tone === "good") found.pass += 1;
      else if (tone === "warn") found.warn += 1;
      else if (tone === "bad") found.bad += 1;
      else found.other += 1;
    }
    return found;
  }

  /** @param {string} id @returns {string} Where its page is: #/model/cost_by_day. */
  function hrefOf(id) {
    const node = nodes[id];
    const type = node ? node.resource_type : id.split(".")[0];
    return `#/${type}/${encodeURIComponent(node ? node.name : id.slice(type.length + 1))}`;
  }

  /** @param {string} id */
  const nameOf = (id) => (nodes[id] ? nodes[id].name : id.replace(/^\w+\./, ""));

  lading.project = {
    meta: data.project.metadata, lineage: data.project.lineage, nodes, shown, tests, testsOf,
    parents, children, reached, groupOf, GROUPS, resultOf, tally, hrefOf, nameOf,
    /** @param {string} group */
    inGroup: (group) => shown.filter((each) => groupOf(each) === group).sort((a, b) => a.name.localeCompare(b.name)),
    made: books.made,
    details: data.details,
  };
})();
