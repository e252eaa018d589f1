"use strict";
// What stands beside the graph of the node that was chosen: where it leads, its columns, their way.
(function () {
  const { dom, parts, project, columns, units } = window.lading;
  const { el } = dom;
  const ORDER = project.GROUPS.map((/** @type {[string, string]} */ [group]) => group);

  /**
   * @param {HTMLElement} panel @param {string} id @param {string | null} column
   * @param {Map<string, string[]> | null} way
   * @param {(id: string | null, column: string | null, alone: boolean) => void} choose
   */
  function fill(panel, id, column, way, choose) {
    const node = project.nodes[id];
    const above = project.reached(id, project.parents).size;
    const below = project.reached(id, project.children).size;
    panel.replaceChildren(
      el("header", {}, el("div", {}, parts.kindBadge(node), el("h2", { text: node.name })),
        el("button", { class: "round", type: "button", "aria-label": "Close", onclick: () => choose(null, null, false) }, dom.icon("close"))),
      el("div", { class: "prose small" }, parts.prose(node.description || node.title || "").slice(0, 1)),
      el("p", { class: "muted small", text: `Comes from ${units.many(above, "node")}; ${units.many(below, "node")} ${below === 1 ? "comes" : "come"} of it.` }),
      el("div", { class: "actions" },
        el("a", { class: "button main", href: project.hrefOf(id), text: "Open page" }),
        el("button", { class: "button", type: "button", text: "Only these", onclick: () => choose(id, null, true) })),
      way ? wayList(id, column, way, choose) : "",
      columnList(id, column, choose));
    panel.scrollTop = 0;
  }

  /** @param {string} id @param {string | null} column @param {(id: string | null, column: string | null, alone: boolean) => void} choose */
  function columnList(id, column, choose) {
    const names = columns.columnsOf(id);
    if (!names.length) return "";
    const isMapping = project.nodes[id].resource_type === "mapping";
    const types = new Map((project.nodes[id].columns || []).map((/** @type {any} */ each) => [each.name, each.data_type || ""]));
    return el("div", {},
      el("h3", { text: isMapping || project.nodes[id].resource_type === "blueprint" ? "The way of a property" : "The way of a column" }),
      el("ul", { class: "columns" }, names.map((/** @type {string} */ name) =>
        el("li", {}, el("button", { type: "button", "aria-pressed": String(name === column), onclick: () => choose(id, name, false) }, name, el("span", { text: types.get(name) || "" }))))));
  }

  /** @param {string} id @param {string | null} column @param {Map<string, string[]>} way @param {(id: string | null, column: string | null, alone: boolean) => void} choose */
  function wayList(id, column, way, choose) {
    const depth = (/** @type {string} */ each) => project.reached(each, project.parents).size;
    const stops = [...way].filter(([, names]) => names.length).sort(([a], [b]) =>
      ORDER.indexOf(project.groupOf(project.nodes[a])) - ORDER.indexOf(project.groupOf(project.nodes[b])) || depth(a) - depth(b));
    return el("div", {}, el("h3", { text: `Its way: ${column}` }),
      el("ol", { class: "way" }, stops.map(([each, names]) =>
        el("li", { class: each === id ? "here" : null, style: `--kind: var(--${project.groupOf(project.nodes[each])})` },
          el("a", { href: project.hrefOf(each), text: project.nameOf(each) }),
          names.map((name) => el("span", { class: "mono", text: name }))))),
      el("button", { class: "button", type: "button", text: "Back to the node", onclick: () => choose(id, null, false) }));
  }

  window.lading.graphPanel = { fill };
})();
