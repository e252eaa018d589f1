"use strict";
// Elements from data. Whatever comes from data becomes a text node: it is never read as HTML.
(function () {
  const lading = window.lading;
  const SVG = "http://www.w3.org/2000/svg";

  /**
   * An element. Attributes that begin with "on" are listeners, `text` is its text, those that are
   * null or false are left out; children are elements, texts, or nested lists of them.
   * @param {string} tag
   * @param {Record<string, any>} [attributes]
   * @param {...any} children
   * @returns {HTMLElement}
   */
  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    fill(made, attributes || {}, children);
    return made;
  }

  /** @param {Element} made @param {Record<string, any>} attributes @param {any[]} children */
  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "text") made.textContent = value;
      else if (name === "style") /** @type {any} */ (made).style.cssText = value;
      else made.setAttribute(name, value === true ? "" : String(value));
    }
    made.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  }

  const PATHS = {
    report: ["M4 20V10", "M10 20V4", "M16 20v-7", "M21 20H3"],
    graph: ["M4 6h5v5H4z", "M15 3h5v5h-5z", "M15 16h5v5h-5z", "M9 8.5h3V5.5h3", "M12 8.5v10h3"],
    list: ["M4 6h16", "M4 12h16", "M4 18h10"],
    clock: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 7.5V12l3 2"],
    search: ["M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z", "M20 20l-4-4"],
    theme: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.500 10.500z"],
    menu: ["M4 7h16", "M4 12h16", "M4 17h16"],
    copy: ["M9 9h11v11H9z", "M5 15H4V4h11v1"],
    close: ["M6 6l12 12", "M18 6L6 18"],
    arrow: ["M5 12h14", "M13 6l6 6-6 6"],
    ship: ["M3 14l9-3 9 3-2.500 6h-13z", "M7 12.500V7h10v5.500", "M12 7V3"],
  };

  /** @param {keyof PATHS} name @returns {Element} */
  function icon(name) {
    const made = document.createElementNS(SVG, "svg");
    fill(made, { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, []);
    for (const path of PATHS[name]) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", path);
      made.append(line);
    }
    return made;
  }

  /**
   * @param {Array<string | {text: string, number?: boolean}>} headings
   * @param {any[][]} rows Cells: texts or elements; those of number columns to the right.
   * @param {string} [caption] What it is a table of, for those who hear it.
   * @returns {HTMLElement}
   */
  function table(headings, rows, caption) {
    const columns = headings.map((each) => (typeof each === "string" ? { text: each, number: false } : each));
    const shape = (/** @type {number} */ index) => (columns[index].number ? "number" : null);
    return el("div", { class: "scroll", tabindex: "0" },
      el("table", {},
        caption ? el("caption", { class: "hidden", text: caption }) : null,
        el("thead", {}, el("tr", {}, columns.map((each, index) => el("th", { scope: "col", class: shape(index), text: each.text })))),
        el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, index) => el("td", { class: shape(index) }, cell)))))));
  }

  /**
   * A button that copies a text.
   * @param {() => string} text @param {string} [label]
   */
  function copyButton(text, label = "Copy") {
    const said = el("span", { text: label });
    const button = el("button", { class: "button", type: "button", onclick: () => copied(text()).then((done) => {
      said.textContent = done ? "Copied" : "Select it, and copy by hand";
      setTimeout(() => (said.textContent = label), 1600);
    }) }, icon("copy"), said);
    return button;
  }

  /** @param {string} text @returns {Promise<boolean>} */
  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without a secure origin there is only the old way.
      const area = el("textarea", { style: "position:fixed;opacity:0", text });
      document.body.append(area);
      /** @type {HTMLTextAreaElement} */ (area).select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  /**
   * Buttons of which one is pressed.
   * @param {string} label @param {Array<[string, string]>} choices Values with their texts.
   * @param {string} chosen @param {(value: string) => void} take
   */
  function choice(label, choices, chosen, take) {
    const group = el("div", { class: "choice", role: "group", "aria-label": label });
    for (const [value, text] of choices) {
      group.append(el("button", { type: "button", text, "data-value": value, "aria-pressed": String(value === chosen), onclick: () => {
        group.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.value === value)));
        take(value);
      } }));
    }
    return group;
  }

  lading.dom = { el, icon, table, copyButton, choice };
})();
