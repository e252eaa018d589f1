"use strict";
// The catalogue: every node in one list.
(function () {
  const { dom, parts, project, units } = window.lading;
  const { el } = dom;

  /** @param {URLSearchParams} wishes @returns {HTMLElement} */
  function catalogue(wishes) {
    const chosen = wishes.get("type") || "all";
    const groups = project.GROUPS.filter((/** @type {[string, string]} */ [group]) => project.inGroup(group).length);
    const holder = el("div", { class: "stack" });
    const show = (/** @type {string} */ group) => holder.replaceChildren(...groups.filter((/** @type {[string, string]} */ [each]) => group === "all" || each === group).map((/** @type {[string, string]} */ [each, title]) => groupCard(each, title)));
    show(chosen);
    const choices = /** @type {Array<[string, string]>} */ ([["all", "All"], ...groups]);
    const counts = `${units.many(project.shown.length, "node")}, ${units.many(project.tests.length, "test")}`;
    return parts.page(
      parts.heading("Catalogue", `All that ${project.meta.project} is made of: ${counts}.`),
      el("div", { class: "scroll" }, dom.choice("Which nodes", choices, chosen, (/** @type {string} */ value) => {
        history.replaceState(null, "", value === "all" ? "#/catalogue" : `#/catalogue?type=${value}`);
        show(value);
      })),
      holder);
  }

  /** @param {string} group @param {string} title */
  function groupCard(group, title) {
    const rows = project.inGroup(group).map((/** @type {any} */ node) => [
      el("div", { class: "column" }, parts.nodeLink(node.unique_id), node.relation ? el("span", { class: "muted small mono", text: node.relation }) : null),
      el("div", { class: "clamp" }, parts.prose(firstSentence(node.description || node.title || (node.blueprint ? `\`${node.kind}\` to \`${node.blueprint}\`` : "")))),
      project.made[node.unique_id] && project.made[node.unique_id].rows !== null ? units.count(BigInt(project.made[node.unique_id].rows) * window.lading.exact.ONE) : "",
      (project.testsOf[node.unique_id] || []).length ? parts.tallyBadges(node.unique_id) : "",
    ]);
    return el("section", { class: "card plain catalogue" }, el("header", { class: "inset" }, el("h2", {}, title)),
      dom.table(["Name", "Description", { text: "Rows", number: true }, "Tests"], rows, title));
  }

  /** @param {string} text */
  const firstSentence = (text) => (text.match(/^[\s\S]*?[.](?=\s|$)/) || [text])[0];

  /** @param {string} path */
  const nowhere = (path) =>
    parts.page(parts.heading("There is no such page", `Nothing of this project is at ${path}.`), el("p", {}, el("a", { href: "#/catalogue", text: "The catalogue" }), " has all that there is."));

  window.lading.listPages = { catalogue, nowhere };
})();
