"use strict";
// The graph from stream to blueprint: pan, zoom, what a node comes from and what comes of it.
(function () {
  const { dom, parts, project, columns, theme, graphPanel } = window.lading;
  const { el } = dom;
  const FONT = "12.5px ui-sans-serif, system-ui, sans-serif";
  // What reads nothing begins at the left, and blueprints end at the right: the ends pull at them
  // while it is laid out.
  const [LEFT, RIGHT] = ["<", ">"];
  const LAYOUT = {
    name: "dagre", rankDir: "LR", rankSep: 62, nodeSep: 13, edgeSep: 4, animate: false, fit: false,
    edgeWeight: (/** @type {any} */ edge) => (edge.data("end") ? 100 : 1),
  };
  const MOST_COLUMNS = 4;
  /** @type {any} The graph that is drawn now. */
  let cy = null;

  /** @param {string} colour @param {string} ground @param {number} share @returns {string} A mixture of two #rrggbb. */
  function mixed(colour, ground, share) {
    const [a, b] = [colour, ground].map((each) => [1, 3, 5].map((at) => parseInt(each.slice(at, at + 2), 16)));
    return `#${a.map((value, n) => Math.round(value * share + b[n] * (1 - share)).toString(16).padStart(2, "0")).join("")}`;
  }

  const measure = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

  /** @param {string} label @returns {{label: string, width: number, height: number}} */
  function sized(label) {
    measure.font = FONT;
    const lines = label.split("\n");
    const width = Math.max(...lines.map((line) => measure.measureText(line).width));
    return { label, width: Math.ceil(width) + 26, height: 14 + 16.500 * lines.length };
  }

  /** @param {string} id @returns {string} A stream is known without its source. */
  const labelOf = (id) => (project.groupOf(project.nodes[id]) === "source" ? project.nameOf(id).replace(/^.*?[.]/, "") : project.nameOf(id));

  /** @returns {any[]} */
  function elements() {
    const nodes = project.shown.map((/** @type {any} */ each) => ({ data: { id: each.unique_id, group: project.groupOf(each), ...sized(labelOf(each.unique_id)) } }));
    const edges = project.shown.flatMap((/** @type {any} */ each) =>
      project.parents[each.unique_id].map((/** @type {string} */ parent) => ({ data: { id: `${parent}>${each.unique_id}`, source: parent, target: each.unique_id, distances: [0, 0], weights: [0.25, 0.75] } })));
    return [...nodes, ...edges];
  }

  /** @returns {any[]} */
  function style() {
    const [surface, ink, line, strong, accent] = ["surface", "text", "line", "strong-line", "accent"].map(theme.colour);
    const kinds = project.GROUPS.map((/** @type {[string, string]} */ [group]) => ({
      selector: `node[group = "${group}"]`,
      style: { "background-color": mixed(theme.colour(group), surface, 0.13), "border-color": mixed(theme.colour(group), surface, 0.55) },
    }));
    return [
      { selector: "node", style: {
        shape: "round-rectangle", width: "data(width)", height: "data(height)", label: "data(label)", color: ink, "font-size": 12.5,
        "font-family": "ui-sans-serif, system-ui, sans-serif", "text-valign": "center", "text-halign": "center", "text-wrap": "wrap", "text-max-width": "600px", "line-height": 1.32, "border-width": 1.25, "overlay-opacity": 0,
      } },
      { selector: "edge", style: {
        width: 1.3, "line-color": strong, "curve-style": "unbundled-bezier", "edge-distances": "endpoints", "source-endpoint": "50% 0", "target-endpoint": "-50% 0",
        "control-point-distances": "data(distances)", "control-point-weights": "data(weights)", "target-arrow-shape": "triangle", "target-arrow-color": strong, "arrow-scale": 0.75, "overlay-opacity": 0,
      } },
      ...kinds,
      { selector: ".away", style: { opacity: 0.13 } },
      { selector: ".near", style: { "line-color": accent, "target-arrow-color": accent, width: 1.8 } },
      { selector: "node.here", style: { "border-width": 3, "border-color": accent } },
      { selector: ".gone", style: { display: "none" } },
    ];
  }

  /** @param {string} id */
  function kin(id) {
    return new Set([id, ...project.reached(id, project.parents), ...project.reached(id, project.children)]);
  }

  /** @param {string} id @param {string} column @returns {Map<string, string[]>} Nodes of the way, and the rows between. */
  function wayOf(id, column) {
    const way = columns.way({ node: id, column });
    for (const each of project.inGroup("resource")) {
      const node = each.unique_id;
      const isBetween = project.parents[node].some((/** @type {string} */ one) => way.has(one)) && project.children[node].some((/** @type {string} */ one) => way.has(one));
      if (isBetween && !way.has(node)) way.set(node, []);
    }
    return way;
  }

  /** Everything as it was drawn first. */
  function clear() {
    cy.batch(() => {
      cy.elements().removeClass("away near here gone");
      cy.nodes().forEach((/** @type {any} */ node) => node.data(sized(labelOf(node.id()))));
    });
  }

  /** @param {string} id @param {boolean} alone Whether the others are taken away. */
  function focus(id, alone) {
    const wanted = kin(id);
    clear();
    cy.batch(() => {
      cy.nodes().forEach((/** @type {any} */ node) => node.toggleClass(alone ? "gone" : "away", !wanted.has(node.id())));
      cy.edges().forEach((/** @type {any} */ edge) => {
        const inside = onTheWay(edge, id, wanted);
        edge.toggleClass(alone ? "gone" : "away", !inside);
        edge.toggleClass("near", inside);
      });
      cy.getElementById(id).addClass("here");
    });
    if (!alone) return arrangeAll();
    arrange();
    fit();
  }

  /** @param {any} edge @param {string} id @param {Set<string>} wanted Edges between an ancestor and a descendant pass it by. */
  function onTheWay(edge, id, wanted) {
    const [from, to] = [edge.source().id(), edge.target().id()];
    if (!wanted.has(from) || !wanted.has(to)) return false;
    const above = project.reached(id, project.parents);
    const isAbove = (/** @type {string} */ each) => each === id || above.has(each);
    return isAbove(to) || !above.has(from);
  }

  /** @param {string} id @param {string} column */
  function light(id, column) {
    const way = wayOf(id, column);
    clear();
    cy.batch(() => {
      cy.nodes().forEach((/** @type {any} */ node) => {
        const found = way.get(node.id());
        node.toggleClass("gone", !found);
        if (!found) return;
        const shown = found.slice(0, MOST_COLUMNS).map((each) => `· ${each}`);
        if (found.length > MOST_COLUMNS) shown.push(`and ${found.length - MOST_COLUMNS} more`);
        node.data(sized([labelOf(node.id()), ...shown].join("\n")));
      });
      cy.edges().forEach((/** @type {any} */ edge) => {
        const inside = way.has(edge.source().id()) && way.has(edge.target().id());
        edge.toggleClass("gone", !inside);
        edge.toggleClass("near", inside);
      });
      cy.getElementById(id).addClass("here");
    });
    arrange();
    fit();
    return way;
  }

  /** @param {string} end @param {any} nodes @returns {any[]} An end and the edges by which it pulls. */
  function pulled(end, nodes) {
    const edges = nodes.map((/** @type {any} */ node) => {
      const [source, target] = end === LEFT ? [end, node.id()] : [node.id(), end];
      return { data: { id: end + node.id(), end: true, source, target, distances: [0, 0], weights: [0.25, 0.75] } };
    });
    return edges.length ? [{ data: { id: end, ...sized("") } }, ...edges] : [];
  }

  /** @type {Map<string, {x: number, y: number}>} Where the nodes are when all are shown. */
  const places = new Map();

  /** All nodes where they were first, which takes time to find out. */
  function arrangeAll() {
    if (!places.size) {
      arrange();
      cy.nodes().forEach((/** @type {any} */ node) => places.set(node.id(), { ...node.position() }));
    }
    cy.batch(() => cy.nodes().forEach((/** @type {any} */ node) => node.position(places.get(node.id()))));
    cy.edges().forEach(bend);
  }

  /** Those that are shown. */
  function arrange() {
    const shown = cy.elements().not(".gone");
    const ends = cy.add([...pulled(LEFT, shown.roots()), ...pulled(RIGHT, shown.nodes('[group = "blueprint"]'))]);
    shown.union(ends).layout(LAYOUT).run();
    ends.remove();
    shown.edges().forEach(bend);
  }

  /** @param {any} edge So that it leaves and comes in level. */
  function bend(edge) {
    const [from, to] = [edge.source(), edge.target()];
    const x = to.position("x") - to.data("width") / 2 - from.position("x") - from.data("width") / 2;
    const y = to.position("y") - from.position("y");
    const length = Math.hypot(x, y) || 1;
    const part = (x * x * 0.42) / (length * length);
    const off = (0.42 * x * y) / length;
    edge.data({ weights: [part, 1 - part], distances: [-off, off] });
  }

  function fit() {
    cy.fit(cy.elements().not(".gone"), 64);
    if (cy.zoom() > 1.25) {
      cy.zoom(1.25);
      cy.center(cy.elements().not(".gone"));
    }
  }

  /**
   * @param {HTMLElement} main @param {URLSearchParams} wishes `focus` a node, `column` one of its columns.
   * @returns {() => void} What to do when the page is left.
   */
  function show(main, wishes) {
    const drawing = el("div", { class: "drawing", role: "img", "aria-label": "The graph from sources to blueprints. The catalogue has the same as lists." });
    const panel = el("aside", { class: "panel hidden", "aria-label": "The chosen node" });
    const whole = el("button", { class: "button hidden", type: "button", text: "Show everything", onclick: () => choose(null, null, false) });
    const zoom = (/** @type {number} */ by) => () => cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
    main.replaceChildren(el("div", { class: "graph" },
      el("div", { class: "canvas" }, drawing,
        el("div", { class: "tools" }, el("h1", { class: "title", style: "font-size:15px", text: "From stream to blueprint" }), whole),
        el("div", { class: "zoom" },
          el("button", { class: "round", type: "button", "aria-label": "Closer", text: "+", onclick: zoom(1.3) }),
          el("button", { class: "round", type: "button", "aria-label": "Farther", text: "−", onclick: zoom(1 / 1.3) }),
          el("button", { class: "button", type: "button", text: "Fit", onclick: fit })),
        el("div", { class: "legend" }, project.GROUPS.map((/** @type {[string, string]} */ [group, title]) => el("span", {}, parts.dot(group), title)))),
      panel));
    cy = window.cytoscape({ container: drawing, elements: elements(), style: style(), layout: { name: "null" }, minZoom: 0.08, maxZoom: 3, boxSelectionEnabled: false, autoungrabify: true });

    /** @param {string | null} id @param {string | null} column @param {boolean} alone */
    function choose(id, column, alone) {
      const query = id ? `?focus=${encodeURIComponent(id)}${column ? `&column=${encodeURIComponent(column)}` : ""}` : "";
      if (location.hash !== `#/lineage${query}`) history.replaceState(null, "", `#/lineage${query}`);
      panel.classList.toggle("hidden", !id);
      whole.classList.toggle("hidden", !id);
      cy.resize();
      if (!id) {
        clear();
        arrangeAll();
        return fit();
      }
      const way = column ? light(id, column) : (focus(id, alone), null);
      if (!column && !alone) see(id);
      graphPanel.fill(panel, id, column, way, choose);
    }

    /** @param {string} id The chosen node stays in sight, also beside the panel that has just come. */
    function see(id) {
      fit();
      if (cy.zoom() < 0.62) {
        cy.zoom(0.72);
        cy.center(cy.getElementById(id));
      }
    }

    cy.on("tap", "node", (/** @type {any} */ event) => choose(event.target.id(), null, false));
    cy.on("tap", (/** @type {any} */ event) => event.target === cy && choose(null, null, false));
    cy.on("mouseover", "node", () => (drawing.style.cursor = "pointer"));
    cy.on("mouseout", "node", () => (drawing.style.cursor = ""));
    const wanted = wishes.get("focus");
    if (wanted && project.shown.some((/** @type {any} */ each) => each.unique_id === wanted)) choose(wanted, wishes.get("column"), true);
    else choose(null, null, false);
    return () => {
      cy.destroy();
      cy = null;
    };
  }

  theme.whenChanged(() => cy && cy.style(style()));
  window.lading.graph = { show, current: () => cy };
})();
