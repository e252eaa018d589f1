"use strict";
// The page of a node: what it is, its columns and where they come from, its tests, its SQL.
(function () {
  const { dom, parts, project, columns, units, code } = window.lading;
  const { el } = dom;

  /** @param {any} node @returns {HTMLElement} */
  function nodePage(node) {
    if (project.groupOf(node) === "test") return testPage(node);
    const id = node.unique_id;
    return parts.page(
      head(node),
      around(id),
      node.resource_type === "mapping" ? propertiesCard(node) : columnsCard(node),
      node.resource_type === "blueprint" ? blueprintCards(node) : null,
      testsCard(id),
      sampleCard(node),
      codeCards(id));
  }

  /** @param {any} node */
  function head(node) {
    const id = node.unique_id;
    return el("header", { class: "heading" },
      el("div", {},
        el("div", { class: "badges" }, parts.kindBadge(node), (node.tags || []).map((/** @type {string} */ each) => el("span", { class: "badge", text: each }))),
        el("h1", { text: node.title && node.title !== node.name ? `${node.title}` : node.name }),
        node.title && node.title !== node.name ? el("p", { class: "mono muted", text: node.name }) : null,
        el("div", { class: "prose" }, parts.prose(node.description || "")),
        facts(node)),
      el("a", { class: "button main", href: `#/lineage?focus=${encodeURIComponent(id)}` }, dom.icon("graph"), "In the graph"));
  }

  /** @param {any} node What there is to know of it in a word or two. */
  function facts(node) {
    const made = project.made[node.unique_id];
    const config = node.config || {};
    const known = /** @type {Array<[string, any]>} */ ([
      ["Relation", node.relation && el("code", { text: node.relation })],
      ["File", node.file && el("code", { text: node.file })],
      ["API path", node.kind === "stream" && el("code", { text: node.path })],
      ["Made as", config.materialized && node.relation ? config.materialized : null],
      ["Rows", made && made.rows !== null ? units.count(BigInt(made.rows) * window.lading.exact.ONE) : null],
      ["Made", made && parts.when(made.made_at)],
      ["Kind", node.resource_type === "mapping" && el("code", { text: node.kind })],
      ["Blueprint", node.blueprint && parts.nodeLink(`blueprint.${node.blueprint}`)],
      ["Unique key", (config.unique_key || []).join(", ")],
      ["Time column", config.time_column],
      ["Lookback", config.lookback],
    ]);
    const told = known.filter(([, value]) => value);
    return el("dl", { class: "facts" }, told.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", {}, value))));
  }

  /** @param {string} id */
  function around(id) {
    const list = (/** @type {string[]} */ ids, /** @type {string} */ none) =>
      ids.length ? el("ul", {}, ids.map((each) => el("li", {}, parts.nodeLink(each)))) : el("p", { class: "muted small", text: none });
    return el("section", { class: "card around" },
      el("div", {}, el("h3", { text: "Reads" }), list(project.parents[id], "nothing of this project")),
      el("span", { class: "hop" }, dom.icon("arrow")),
      el("div", { class: "self" }, parts.dot(project.groupOf(project.nodes[id])), el("b", { text: project.nameOf(id) })),
      el("span", { class: "hop" }, dom.icon("arrow")),
      el("div", {}, el("h3", { text: "Is read by" }), list(project.children[id], "nothing of this project")));
  }

  /** @param {Array<{node: string, column: string, computed?: boolean}>} spots */
  function spotLinks(spots) {
    if (!spots.length) return el("span", { class: "muted", text: "–" });
    const shown = spots.slice(0, 4).map((each) =>
      el("li", {}, el("a", { class: "spot", href: `${project.hrefOf(each.node)}?column=${encodeURIComponent(each.column)}`, title: each.computed ? "computed" : "taken as it is" },
        el("span", { class: "muted", text: `${project.nameOf(each.node)}` }), el("span", { text: ` ${each.column}` }), each.computed ? el("i", { text: " ƒ", class: "muted" }) : null)));
    const rest = spots.length - shown.length;
    return el("ul", { class: "spots" }, shown, rest > 0 ? el("li", { class: "muted small", text: `and ${rest} more` }) : null);
  }

  /** @param {string} node @param {string} column */
  const wayLink = (node, column) =>
    el("a", { href: `#/lineage?focus=${encodeURIComponent(node)}&column=${encodeURIComponent(column)}`, title: "Its way in the graph", text: column });

  /** @param {any} node */
  function columnsCard(node) {
    const id = node.unique_id;
    const written = new Map((node.columns || []).map((/** @type {any} */ each) => [each.name, each]));
    const names = columns.columnsOf(id);
    if (!names.length) return null;
    const isBlueprint = node.resource_type === "blueprint";
    const isSource = node.resource_type === "source";
    const rows = names.map((/** @type {string} */ name) => {
      const each = /** @type {any} */ (written.get(name) || {});
      const spot = { node: id, column: name };
      const about = [each.title && each.title !== name ? el("div", { text: each.title }) : null, each.description ? el("div", { class: each.title ? "muted small" : null }, parts.prose(each.description)) : null];
      return [
        el("div", { class: "column", id: `column-${name}` }, el("b", { class: "mono" }, wayLink(id, name)),
          el("span", { class: "muted small mono", text: each.data_type || "" }), each.required ? el("span", { class: "badge", text: "required" }) : null),
        ...(isSource ? [] : [el("div", {}, about, isBlueprint ? null : columnTests(id, name))]),
        ...(isSource ? [] : [spotLinks(columns.before(spot))]),
        ...(isBlueprint ? [] : [spotLinks(columns.after(spot))]),
      ];
    });
    const headings = isSource ? ["What is read of it", "What comes of it"] : isBlueprint ? ["Property", "Description", "Comes from"] : ["Column", "Description and tests", "Comes from", "What comes of it"];
    const title = isBlueprint ? "Properties" : isSource ? "Columns and keys" : "Columns";
    return el("section", { class: "card plain" }, el("header", { class: "inset" }, el("h2", { text: title }), el("p", { class: "muted small", text: isBlueprint ? "" : "ƒ marks what is computed, not taken as it is." })), dom.table(headings, rows, title));
  }

  /** @param {string} id @param {string} column */
  function columnTests(id, column) {
    const found = (project.testsOf[id] || []).filter((/** @type {any} */ each) => each.column === column);
    if (!found.length) return null;
    return el("div", { class: "badges tight" }, found.map((/** @type {any} */ each) => {
      const result = project.resultOf(each.unique_id);
      return el("a", { class: `badge ${result.tone}`, href: project.hrefOf(each.unique_id), title: `${result.status} ${units.momentText(result.at)}`, text: each.test });
    }));
  }

  /** @param {any} node */
  function propertiesCard(node) {
    const found = project.lineage.mappings[node.unique_id] || [];
    const rows = found.map((/** @type {any} */ each) => [
      el("div", { class: "column", id: `column-${each.property}` }, el("b", { class: "mono" }, each.property === "blueprint" ? each.property : wayLink(node.unique_id, each.property))),
      el("div", {}, each.expressions.map((/** @type {string} */ text) => el("code", { class: "expression", text }))),
      spotLinks(columns.before({ node: node.unique_id, column: each.property })),
    ]);
    const selector = JSON.stringify(node.selector, null, 2);
    return [
      el("section", { class: "card plain" }, el("header", { class: "inset" }, el("h2", { text: "What an entity is made of" })), dom.table(["Part", "Expression", "Comes from"], rows, "Parts of the entity")),
      parts.card("Selector", "Which rows the mapping gets.", code.block(selector, "json")),
    ];
  }

  /** @param {any} node */
  function blueprintCards(node) {
    return [
      node.calculations.length ? parts.card("Calculated in Port", null, dom.table(["Property", "Calculation"], node.calculations.map((/** @type {any} */ each) => [
        el("div", { class: "column" }, el("b", { class: "mono", text: each.name }), el("span", { class: "muted small", text: each.title || "" })),
        el("code", { class: "expression", text: each.calculation || "" }),
      ]))) : null,
      node.relations.length ? parts.card("Relations", null, dom.table(["Relation", "To"], node.relations.map((/** @type {any} */ each) => [
        el("b", { class: "mono", text: each.name }), parts.nodeLink(`blueprint.${each.target}`, each.target),
      ]))) : null,
    ];
  }

  /** @param {string} id */
  function testsCard(id) {
    const found = project.testsOf[id] || [];
    if (!found.length) return null;
    const rank = /** @type {Record<string, number>} */ ({ bad: 0, warn: 1, "": 2, good: 3 });
    const listed = found.map((/** @type {any} */ each) => ({ each, result: project.resultOf(each.unique_id) })).sort((/** @type {any} */ a, /** @type {any} */ b) => rank[a.result.tone] - rank[b.result.tone]);
    const rows = listed.map((/** @type {any} */ { each, result }) => [
      el("a", { class: "long-name", href: project.hrefOf(each.unique_id), text: each.name }),
      parts.resultBadge(result),
      parts.when(result.at),
      el("span", { class: "small" }, result.message || (result.failures ? units.many(result.failures, "failing row") : "")),
    ]);
    return el("section", { class: "card plain" }, el("header", { class: "inset" }, el("h2", { text: "Tests" }), parts.tallyBadges(id)), dom.table(["Test", "Last result", "When (UTC)", ""], rows, "Tests"));
  }

  /** @param {any} node */
  function sampleCard(node) {
    const names = node.resource_type === "mapping" ? [node.name] : node.resource_type === "blueprint" ? node.depends_on.map(project.nameOf) : [];
    return names.map((/** @type {string} */ name) => {
      const sample = project.details.samples[name];
      if (!sample) return parts.card("Sample entity", null, parts.missing("no entity has been made of it yet", "`lading plan` makes them"));
      const about = `One of ${units.many(sample.entities, "entity", "entities")} of ${name} in the last plan${sample.unfit ? `; Port would refuse ${sample.unfit}` : ""}.`;
      return parts.card("Sample entity", about, code.block(sample.entity, "json"));
    });
  }

  /** @param {string} id */
  function codeCards(id) {
    const { sql, jq } = project.details;
    return [
      sql[id] ? parts.card("Compiled SQL", "As DuckDB gets it.", code.block(sql[id], "sql")) : null,
      jq[id] ? parts.card("JQ program", "As it is run on each row.", code.block(jq[id], "jq")) : null,
    ];
  }

  /** @param {any} node @returns {HTMLElement} */
  function testPage(node) {
    const result = project.resultOf(node.unique_id);
    const seconds = result.seconds === null ? null : units.spanText(result.seconds);
    return parts.page(
      el("header", { class: "heading" }, el("div", {},
        el("div", { class: "badges" }, parts.kindBadge(node), parts.resultBadge(result), node.severity === "warn" ? el("span", { class: "badge", text: "only warns" }) : null),
        el("h1", { text: node.name }),
        el("div", { class: "prose" }, parts.prose(node.description || "")),
        el("dl", { class: "facts" }, /** @type {Array<[string, any]>} */ ([
          ["Is about", node.attached_to && parts.nodeLink(node.attached_to)], ["Column", node.column && el("code", { text: node.column })],
          ["File", el("code", { text: node.place || node.file })], ["Last run", parts.when(result.at)], ["Took", seconds],
        ]).filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", {}, value)))))),
      result.message || result.details.length
        ? parts.card("What it said", result.message, result.details.length ? el("pre", { class: "said", text: result.details.join("\n") }) : null) : null,
      node.depends_on.length ? parts.card("Reads", null, el("ul", { class: "chips" }, node.depends_on.map((/** @type {string} */ each) => el("li", {}, parts.nodeLink(each))))) : null,
      codeCards(node.unique_id));
  }

  window.lading.nodePage = nodePage;
})();
