"use strict";
// SQL, JQ and JSON with a little colour. Every piece becomes a text node.
(function () {
  const { el, copyButton } = window.lading.dom;
  const WORDS = {
    sql: "all and any as asc between by case cast coalesce create cross cube day day_hour decimal desc describe distinct else end except exclude exists false filter from full group grouping having if ilike in inner intersect interval is join lateral left like limit not null nulls offset on or order outer over partition pivot qualify recursive replace right rollup row rows select semi sets table then true union unnest unpivot using values view when where window with within without",
    jq: "def if then elif else end as reduce foreach try catch and or not empty null true false error select map length test",
    json: "true false null",
  };
  const PIECES = {
    sql: /(--[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^']|'')*')|("(?:[^"]|"")*")|(\b\d+(?:\.\d+)?\b)|([A-Za-z_]\w*)/g,
    jq: /(#[^\n]*)|("(?:[^"\\]|\\.)*")|(\$\w+)|(\b\d+(?:\.\d+)?\b)|([A-Za-z_]\w*)/g,
    json: /(\/\/never)|("(?:[^"\\]|\\.)*"(?!\s*:))|("(?:[^"\\]|\\.)*"(?=\s*:))|(-?\b\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\b)|([A-Za-z_]\w*)/g,
  };

  /** @param {string} text @param {"sql" | "jq" | "json"} language @returns {HTMLElement} */
  function coloured(text, language) {
    const words = new Set(WORDS[language].split(" "));
    const code = el("code", {});
    let done = 0;
    for (const found of text.matchAll(PIECES[language])) {
      const [whole, comment, string, name, number, word] = found;
      const style = comment ? "comment" : string ? "string" : name ? "name" : number ? "figure" : word && words.has(word.toLowerCase()) ? "word" : null;
      if (!style) continue;
      code.append(text.slice(done, found.index), el("span", { class: `c-${style}`, text: whole }));
      done = (found.index || 0) + whole.length;
    }
    code.append(text.slice(done));
    return code;
  }

  /** @param {string} text @param {"sql" | "jq" | "json"} language @returns {HTMLElement} With a button that copies it. */
  const block = (text, language) =>
    el("div", { class: "code" }, copyButton(() => text), el("pre", { tabindex: "0" }, coloured(text, language)));

  window.lading.code = { block };
})();
