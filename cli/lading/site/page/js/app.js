"use strict";
// The frame around the pages, and which page an address leads to: #/model/cost_by_day?column=day.
(function () {
  const lading = window.lading;
  const { dom, parts, project, units } = lading;
  const { el } = dom;
  const PAGES = /** @type {Array<[string, string, "report" | "graph" | "list" | "clock"]>} */ ([
    ["report", "Report", "report"], ["lineage", "Lineage", "graph"], ["catalogue", "Catalogue", "list"], ["runs", "Runs", "clock"],
  ]);
  const TYPES = new Set(["source", "model", "mapping", "blueprint", "test", "unit_test", "mapping_test"]);
  /** @type {() => void} */
  let leave = () => {};

  const brand = () => el("a", { class: "brand", href: "#/report" }, dom.icon("ship"), el("span", {}, project.meta.project, el("small", { text: `lading · ${project.meta.target}` })));

  const side = el("nav", { class: "side", "aria-label": "Site" },
    brand(),
    el("button", { class: "ask", type: "button", onclick: lading.search.show }, dom.icon("search"), "Search", el("kbd", { text: "/" })),
    el("div", { class: "nav" }, PAGES.map(([page, text, icon]) => el("a", { href: `#/${page}`, "data-page": page }, dom.icon(icon), text))),
    el("div", { class: "tree" }, project.GROUPS.map((/** @type {[string, string]} */ [group, title]) => branch(group, title))),
    el("div", { class: "foot" },
      el("span", {}, `As of ${units.momentText(project.meta.generated_at)} UTC`, el("br"), `lading ${project.meta.lading_version}`),
      el("button", { class: "round", type: "button", "aria-label": "Light or dark", title: "Light or dark", onclick: lading.theme.toggle }, dom.icon("theme"))));
  const main = el("main", { id: "main", tabindex: "-1" });
  const frame = el("div", { class: "frame" },
    side,
    el("div", {},
      el("div", { class: "bar" },
        el("button", { class: "round", type: "button", "aria-label": "Menu", onclick: () => frame.classList.toggle("open") }, dom.icon("menu")),
        brand(),
        el("button", { class: "round", type: "button", "aria-label": "Search", onclick: lading.search.show }, dom.icon("search"))),
      main));

  /** @param {string} group @param {string} title */
  function branch(group, title) {
    const nodes = project.inGroup(group);
    if (!nodes.length) return null;
    return el("details", { "data-group": group, open: group === "mart" },
      el("summary", { "data-count": nodes.length }, parts.dot(group), title),
      nodes.map((/** @type {any} */ each) => el("a", { href: project.hrefOf(each.unique_id), "data-node": each.unique_id, title: each.name, text: group === "source" ? each.name.replace(/^.*?[.]/, "") : each.name })));
  }

  /** @returns {{page: string, name: string, wishes: URLSearchParams}} */
  function place() {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    const [page, ...rest] = path.split("/");
    return { page: page || "report", name: decoded(rest.join("/")), wishes: new URLSearchParams(query) };
  }

  /** @param {string} text */
  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  function show() {
    leave();
    leave = () => {};
    const { page, name, wishes } = place();
    const id = `${page}.${name}`;
    const isNode = TYPES.has(page) && Object.hasOwn(project.nodes, id);
    main.className = page === "lineage" ? "wide" : "";
    if (isNode) main.replaceChildren(lading.nodePage(project.nodes[id]));
    else if (page === "lineage") leave = lading.graph.show(main, wishes);
    else if (page === "report") leave = lading.reportPage.show(main, wishes);
    else if (page === "catalogue") main.replaceChildren(lading.listPages.catalogue(wishes));
    else if (page === "runs") main.replaceChildren(lading.runsPage());
    else main.replaceChildren(lading.listPages.nowhere(location.hash));
    mark(page, isNode ? id : null);
    const title = isNode ? name : (PAGES.find(([each]) => each === page) || ["", "lading"])[1];
    document.title = `${title} · ${project.meta.project}`;
    frame.classList.remove("open");
    lead(wishes.get("column"));
  }

  /** @param {string} page @param {string | null} id */
  function mark(page, id) {
    for (const each of side.querySelectorAll("a")) {
      const here = each.dataset.node ? each.dataset.node === id : each.dataset.page === page;
      if (here && !each.classList.contains("brand")) each.setAttribute("aria-current", "page");
      else each.removeAttribute("aria-current");
    }
    const branchOfNode = id && side.querySelector(`details[data-group="${project.groupOf(project.nodes[id])}"]`);
    if (branchOfNode) branchOfNode.setAttribute("open", "");
  }

  /** @param {string | null} column To a column of the page, or to its top. */
  function lead(column) {
    const target = column ? document.getElementById(`column-${column}`) : null;
    const row = target && target.closest("tr");
    if (!row) return window.scrollTo(0, 0);
    row.classList.add("meant");
    row.scrollIntoView({ block: "center" });
  }

  main.addEventListener("click", () => frame.classList.remove("open"));
  window.addEventListener("hashchange", show);
  (document.getElementById("app") || document.body).replaceChildren(frame);
  show();
})();
