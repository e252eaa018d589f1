"use strict";
// Search over names, columns, descriptions and tests; `/` opens it from anywhere.
(function () {
  const { dom, parts, project, columns, units } = window.lading;
  const { el } = dom;
  const MOST = 30;
  /** @type {any} */
  let index = null;
  /** @type {Map<string, {id: string, title: string, href: string, group: string, about: string}>} */
  const entries = new Map();

  /** @param {string} text @returns {string[]} */
  const words = (text) => text.toLowerCase().split(/[^\p{L}\p{N}_.-]+/u).map((each) => each.replace(/^[.-]+|[.-]+$/g, "")).filter(Boolean);

  /** @param {string} text @returns {string[]} Words, and the parts of names: a_b.c_d is c_d and c, too. */
  const parted = (text) => [...new Set(words(text).flatMap((each) => [each, ...each.split("."), ...each.split(/[_.-]+/)]).filter(Boolean))];

  /** @param {{id: string, title: string, href: string, group: string, about: string}} entry @param {Record<string, string>} more */
  function add(entry, more) {
    entries.set(entry.id, entry);
    index.add({ id: entry.id, title: entry.title, about: entry.about, ...more });
  }

  function build() {
    index = new window.MiniSearch({
      fields: ["title", "columns", "about"],
      tokenize: parted,
      processTerm: (/** @type {string} */ term) => term,
      searchOptions: { tokenize: words, boost: { title: 6, columns: 2 }, prefix: true, fuzzy: (/** @type {string} */ term) => (term.length > 4 ? 0.2 : false), combineWith: "AND" },
    });
    for (const node of project.shown) {
      const names = columns.columnsOf(node.unique_id);
      add({ id: node.unique_id, title: node.name, href: project.hrefOf(node.unique_id), group: project.groupOf(node), about: node.description || node.title || "" }, { columns: names.join(" ") });
      for (const each of node.columns || []) {
        const href = `${project.hrefOf(node.unique_id)}?column=${encodeURIComponent(each.name)}`;
        add({ id: `${node.unique_id}/${each.name}`, title: `${node.name}.${each.name}`, href, group: project.groupOf(node), about: each.description || each.title || "" }, {});
      }
    }
    for (const test of project.tests) add({ id: test.unique_id, title: test.name, href: project.hrefOf(test.unique_id), group: "test", about: test.description || "" }, {});
  }

  /** @param {string} text Nodes before their columns and tests, where they fit as well. */
  function found(text) {
    if (!index) build();
    const bonus = (/** @type {any} */ hit) => {
      const entry = entries.get(hit.id);
      if (!entry) return 0;
      const whole = entry.title.toLowerCase() === text.trim().toLowerCase() ? 4 : 1;
      return hit.score * whole * (entry.group === "test" ? 0.25 : hit.id.includes("/") ? 0.5 : 1);
    };
    const hits = index.search(text).map((/** @type {any} */ hit) => ({ hit, rank: bonus(hit) }));
    hits.sort((/** @type {any} */ a, /** @type {any} */ b) => b.rank - a.rank);
    return hits.map((/** @type {any} */ each) => /** @type {any} */ (entries.get(each.hit.id)));
  }

  /** @type {HTMLElement | null} */
  let open = null;
  /** @type {Element | null} */
  let before = null;

  function show() {
    if (open) return;
    before = document.activeElement;
    const list = el("ul", { class: "hits", role: "listbox", id: "hits", "aria-label": "What was found" });
    const input = /** @type {HTMLInputElement} */ (el("input", {
      type: "search", placeholder: "A model, a column, a property, a test …", "aria-label": "Search", role: "combobox", "aria-controls": "hits", "aria-expanded": "true", autocomplete: "off", spellcheck: "false",
    }));
    const say = el("p", { class: "said muted small", "aria-live": "polite" });
    let at = 0;
    const choose = (/** @type {number} */ next) => {
      const all = [...list.children];
      if (!all.length) return;
      at = (next + all.length) % all.length;
      all.forEach((each, n) => each.setAttribute("aria-selected", String(n === at)));
      all[at].scrollIntoView({ block: "nearest" });
    };
    const look = () => {
      const text = input.value;
      const hits = text.trim() ? found(text) : project.shown.filter((/** @type {any} */ each) => project.groupOf(each) === "mart").map((/** @type {any} */ each) => entryOf(each));
      list.replaceChildren(...hits.slice(0, MOST).map((/** @type {any} */ each) => hitLine(each)));
      say.textContent = text.trim() ? (hits.length ? `${units.many(hits.length, "hit")}${hits.length > MOST ? `, the first ${MOST} shown` : ""}` : "Nothing has that in its name or its description.") : "All marts";
      choose(0);
    };
    input.addEventListener("input", look);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        choose(at + (event.key === "ArrowDown" ? 1 : -1));
      } else if (event.key === "Enter" && list.children[at]) {
        location.hash = /** @type {HTMLElement} */ (list.children[at].querySelector("a")).getAttribute("href") || "";
        hide();
      }
    });
    const close = el("button", { class: "round", type: "button", "aria-label": "Close", onclick: hide }, dom.icon("close"));
    const veil = el("div", { class: "veil", onclick: (/** @type {Event} */ event) => event.target === veil && hide() },
      el("div", { class: "search", role: "dialog", "aria-label": "Search", "aria-modal": "true" },
        el("div", { class: "field" }, dom.icon("search"), input, close), say, list,
        el("p", { class: "keys muted small" }, el("kbd", { text: "↑" }), el("kbd", { text: "↓" }), " choose ", el("kbd", { text: "Enter" }), " open ", el("kbd", { text: "Esc" }), " close")));
    open = veil;
    document.body.append(veil);
    look();
    input.focus();
  }

  /** @param {any} node */
  const entryOf = (node) => ({ id: node.unique_id, title: node.name, href: project.hrefOf(node.unique_id), group: project.groupOf(node), about: node.description || "" });

  /** @param {any} entry */
  const hitLine = (entry) =>
    el("li", { role: "option" }, el("a", { href: entry.href, tabindex: "-1", onclick: hide }, parts.dot(entry.group), el("span", { class: "mono", text: entry.title }),
      el("span", { class: "muted small", text: entry.id.includes("/") ? "column" : parts.LABELS[entry.group] }), el("span", { class: "about muted small", text: entry.about })));

  function hide() {
    if (!open) return;
    open.remove();
    open = null;
    if (before instanceof HTMLElement) before.focus();
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "Escape") hide();
    else if ((event.key === "/" && !typing) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      show();
    }
  });

  window.lading.search = { show, hide, found };
})();
