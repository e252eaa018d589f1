"use strict";
// Column lineage: from a key of a report through the models' columns to the properties in Port.
(function () {
  const { project } = window.lading;
  const { lineage, nodes } = project;
  const ALL = "*";

  /**
   * A place of the way: a node and a column of it. Of a source's column with paths in it, each path
   * is a place of its own.
   * @typedef {{node: string, column: string, computed?: boolean}} Spot
   */

  /** @param {Spot} spot @returns {string} */
  const keyOf = (spot) => `${spot.node}\n${spot.column.toLowerCase()}`;

  /** @type {Map<string, Spot>} */
  const spots = new Map();
  /** @type {Map<string, Map<string, boolean>>} */
  const from = new Map();
  /** @type {Map<string, Map<string, boolean>>} */
  const to = new Map();

  /** @param {Spot} spot @returns {string} */
  function known(spot) {
    const key = keyOf(spot);
    if (!spots.has(key)) spots.set(key, spot);
    return key;
  }

  /** @param {Spot} origin @param {Spot} spot @param {boolean} computed */
  function connect(origin, spot, computed) {
    const [before, after] = [known(origin), known(spot)];
    if (before === after) return;
    for (const [map, a, b] of /** @type {Array<[Map<string, Map<string, boolean>>, string, string]>} */ ([[from, after, before], [to, before, after]])) {
      if (!map.has(a)) map.set(a, new Map());
      const found = /** @type {Map<string, boolean>} */ (map.get(a));
      found.set(b, Boolean(found.get(b)) || computed);
    }
  }

  /** @param {any} origin @returns {Spot | null} None of a relation that is no node: the books. */
  function spotOf(origin) {
    const node = lineage.relations[origin.relation];
    if (!node || !nodes[node]) return null;
    const isSource = nodes[node].resource_type === "source";
    const path = isSource && origin.path.length ? `.${origin.path.join(".").replaceAll(".[]", "[]")}` : "";
    return { node, column: origin.column + path };
  }

  for (const [node, columns] of Object.entries(lineage.models)) {
    for (const each of /** @type {any[]} */ (columns)) {
      const spot = { node, column: each.column };
      known(spot);
      for (const origin of each.origins) {
        const before = spotOf(origin);
        if (before) connect(before, spot, origin.computed);
      }
    }
  }
  for (const [node, parts] of Object.entries(lineage.mappings)) {
    const blueprint = `blueprint.${nodes[node].blueprint}`;
    for (const each of /** @type {any[]} */ (parts)) {
      const spot = { node, column: each.property };
      known(spot);
      for (const origin of each.columns) {
        const before = spotOf(origin);
        if (before) connect(before, spot, origin.computed);
      }
      if (nodes[blueprint] && each.property !== "blueprint") connect(spot, { node: blueprint, column: each.property.replace(/^properties\./, "") }, false);
    }
  }

  /** @param {Map<string, Map<string, boolean>>} map @param {Spot} spot @returns {Spot[]} */
  const beside = (map, spot) => [...(map.get(keyOf(spot)) || [])].map(([key, computed]) => ({ .../** @type {Spot} */ (spots.get(key)), computed }));

  /** @param {Map<string, Map<string, boolean>>} map @param {Spot} spot @returns {Set<string>} */
  function reached(map, spot) {
    const found = new Set();
    const waiting = [keyOf(spot)];
    while (waiting.length) {
      const key = /** @type {string} */ (waiting.pop());
      for (const next of (map.get(key) || new Map()).keys()) {
        if (found.has(next)) continue;
        found.add(next);
        waiting.push(next);
      }
    }
    return found;
  }

  /**
   * The whole way of a column: what it comes from and what comes of it, itself among them, by node.
   * @param {Spot} spot @returns {Map<string, string[]>}
   */
  function way(spot) {
    /** @type {Map<string, string[]>} */
    const found = new Map();
    for (const key of [...reached(from, spot), keyOf(spot), ...reached(to, spot)]) {
      const each = spots.get(key) || spot;
      found.set(each.node, [...(found.get(each.node) || []), each.column]);
    }
    return found;
  }

  /** @param {string} node @returns {string[]} The columns that its files or its lineage name, described ones first. */
  function columnsOf(node) {
    const named = (nodes[node].columns || []).map((/** @type {any} */ each) => each.name);
    const lower = new Set(named.map((/** @type {string} */ each) => each.toLowerCase()));
    const traced = [...spots.values()].filter((each) => each.node === node && !lower.has(each.column.toLowerCase()));
    const rest = traced.map((each) => each.column);
    if (nodes[node].resource_type === "source") rest.sort();
    return [...named, ...rest.filter((each) => each !== ALL)];
  }

  window.lading.columns = {
    way, columnsOf,
    /** @param {Spot} spot */
    before: (spot) => beside(from, spot),
    /** @param {Spot} spot */
    after: (spot) => beside(to, spot),
  };
})();
