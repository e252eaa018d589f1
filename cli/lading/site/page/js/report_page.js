"use strict";
// The report: spend, tokens, the cache, Claude Code, what moved and what was restated.
(function () {
  const { dom, parts, exact, units, series, charts, reportParts, data } = window.lading;
  const { el } = dom;
  const { report } = data;
  const RANGES = /** @type {Array<[string, string]>} */ ([["30", "30 days"], ["90", "90 days"], ["all", "All"]]);
  const SPLITS = /** @type {Record<string, string>} */ ({ total: "In all", workspace: "Workspace", model: "Model", kind: "Kind" });

  /** @param {any} table @returns {Series} @typedef {any} Series */
  const totals = (table) => series.seriesOf(table, table);

  /** @param {string} range @returns {string[]} */
  function daysOf(range) {
    const last = /** @type {string} */ (series.last);
    const first = /** @type {string} */ (series.first);
    const start = range === "all" ? first : units.dayPlus(last, 1 - Number(range));
    return units.daysBetween(start < first ? first : start, last);
  }

  /** @param {HTMLElement} main @param {URLSearchParams} wishes @returns {() => void} */
  function show(main, wishes) {
    if (!series.last) {
      main.replaceChildren(parts.page(parts.heading("Report", null), parts.missing(report.spend_total.reason, report.spend_total.hint),
        el("p", {}, "What the project is made of is all there: ", el("a", { href: "#/lineage", text: "the lineage" }), " and ", el("a", { href: "#/catalogue", text: "the catalogue" }), ".")));
      return () => {};
    }
    const wanted = wishes.get("range") || "";
    const chosen = { range: RANGES.some(([each]) => each === wanted) ? wanted : "30", spend: "", tokens: "" };
    const holder = el("div", { class: "stack" });
    const fill = () => {
      charts.leave(holder);
      const days = daysOf(chosen.range);
      holder.replaceChildren(tiles(days, chosen.range), splitCard("Spend", "spend", reportParts.DOLLARS, days, chosen), splitCard("Tokens", "tokens", reportParts.TOKENS, days, chosen),
        cacheCard(days), codeCard(days), moversCard(), pricesCard(), restatedCard());
    };
    const ranges = dom.choice("Range", RANGES, chosen.range, (/** @type {string} */ range) => {
      chosen.range = range;
      history.replaceState(null, "", `#/report?range=${range}`);
      fill();
    });
    main.replaceChildren(parts.page(parts.heading("Report", standing(), el("div", { class: "controls" }, ranges)), holder));
    fill();
    return () => charts.leave(main);
  }

  /** @returns {string} From when to when, and how much of it is final. */
  function standing() {
    const finals = [["cost", "cost_report"], ["usage", "usage_messages"], ["Claude Code", "claude_code"]].map(([name, stream]) => [name, series.finalThrough(stream)]).filter(([, day]) => day);
    const span = `${units.dayText(/** @type {string} */ (series.first), true)} to ${units.dayText(/** @type {string} */ (series.last), true)}, days in UTC.`;
    if (!finals.length) return `${span} No day is final yet.`;
    return `${span} Final: ${finals.map(([name, day]) => `${name} through ${units.dayText(/** @type {string} */ (day))}`).join(", ")}.`;
  }

  /** @param {string[]} days @param {string} range */
  function tiles(days, range) {
    const [first, last] = [days[0], /** @type {string} */ (days.at(-1))];
    const before = /** @type {[string, string]} */ ([units.dayPlus(first, -days.length), units.dayPlus(first, -1)]);
    const compared = (/** @type {any} */ found, /** @type {bigint} */ now, /** @type {(value: bigint, signed?: boolean) => string} */ write) => {
      if (range === "all" || !found.days.length || before[0] < found.days[0]) return `${units.many(days.length, "day")}`;
      const then = series.sumOf(before[0], before[1], found);
      return [arrow(now - then), ` ${reportParts.change(now - then, then)} against `, el("span", { title: write(then) }, `the ${days.length} days before`)];
    };
    const spend = totals(report.spend_total);
    const tokens = totals(report.tokens_total);
    const spent = series.sumOf(first, last, spend);
    const used = series.sumOf(first, last, tokens);
    const [cents] = units.dollarParts(spent);
    return el("div", { class: "tiles" },
      tile("Spend", report.spend_total, cents, [exactly(units.dollars(spent)), compared(spend, spent, units.dollars)]),
      tile("Tokens", report.tokens_total, units.short(exact.number(used)), [exactly(units.count(used)), compared(tokens, used, units.count)]),
      cacheTile(days), codeTile(days));
  }

  /** @param {string} text */
  const exactly = (text) => el("span", { class: "exact", text });

  /** @param {bigint} moved */
  const arrow = (moved) => el("span", { class: moved > 0n ? "up" : "down", "aria-hidden": "true", text: moved > 0n ? "▲" : moved < 0n ? "▼" : "" });

  /** @param {string} title @param {any} table @param {any} figure @param {any} about */
  const tile = (title, table, figure, about) =>
    el("section", { class: "tile" }, el("h3", { text: title }), table.rows.length ? [el("div", { class: "figure" }, figure), el("p", {}, about)] : el("p", { text: table.reason }));

  /** @param {string[]} days @returns {{read: bigint, written: bigint, input: bigint}} */
  function cacheSums(days) {
    const found = { read: 0n, written: 0n, input: 0n };
    const [first, last] = [days[0], /** @type {string} */ (days.at(-1))];
    for (const [day, , read, written, input] of report.cache.rows) {
      if (day < first || day > last) continue;
      found.read += exact.exact(read);
      found.written += exact.exact(written);
      found.input += exact.exact(input);
    }
    return found;
  }

  /** @param {string[]} days */
  function cacheTile(days) {
    const found = cacheSums(days);
    const share = units.share(found.read, found.input);
    return tile("Input read from the cache", report.cache, share === null ? "–" : units.percent(share), `${units.short(exact.number(found.read))} of ${units.short(exact.number(found.input))} input tokens`);
  }

  /** @param {string[]} days */
  function codeTile(days) {
    const rows = codeRows(days);
    const sum = (/** @type {number} */ column) => exact.sum(rows.map((row) => exact.exact(row[column])));
    return tile("Claude Code sessions", report.code, units.count(sum(2)), `${units.count(sum(5))} commits, ${units.count(sum(6))} pull requests`);
  }

  /** @param {string[]} days @returns {any[][]} */
  const codeRows = (days) => report.code.rows.filter((/** @type {any[]} */ row) => row[0] >= days[0] && row[0] <= /** @type {string} */ (days.at(-1)));

  /**
   * @param {string} title @param {"spend" | "tokens"} name @param {any} measure @param {string[]} days
   * @param {Record<string, string>} chosen
   */
  function splitCard(title, name, measure, days, chosen) {
    const total = report[`${name}_total`];
    if (!total.rows.length) return parts.card(title, null, reportParts.reason(total));
    const splits = Object.keys(SPLITS).filter((each) => report[`${name}_${each}`]);
    chosen[name] = chosen[name] || ["model", "workspace", "total"].find((each) => report[`${name}_${each}`].rows.length) || "total";
    const holder = el("div", {});
    const fill = () => {
      charts.leave(holder);
      const table = report[`${name}_${chosen[name]}`];
      holder.replaceChildren(table.rows.length ? reportParts.stack(series.seriesOf(total, table), days, measure, `${title} by day, ${SPLITS[chosen[name]].toLowerCase()}`) : reportParts.reason(table));
    };
    fill();
    const made = parts.card(title, name === "spend" ? spendNote() : "Input, cache writes and cache reads among it, and output.", holder);
    made.querySelector("h2").after(dom.choice(`${title} by`, splits.map((each) => [each, SPLITS[each]]), chosen[name], (/** @type {string} */ value) => {
      chosen[name] = value;
      fill();
    }));
    made.dataset.part = name;
    return made;
  }

  /** @returns {string} */
  function spendNote() {
    const others = report.other_currencies.rows;
    const note = "Of the cost report, in US dollars.";
    return others.length ? `${note} Not in it: ${others.map((/** @type {any[]} */ each) => `${each[3]} days in ${each[0]}`).join(", ")}.` : note;
  }

  /** @param {string[]} days */
  function cacheCard(days) {
    const table = report.cache;
    const title = "Cache efficiency";
    if (!table.rows.length) return parts.card(title, null, reportParts.reason(table));
    /** @type {Map<string, Map<string, [bigint, bigint]>>} */
    const found = new Map([["", new Map()]]);
    for (const [day, model, read, , input] of table.rows) {
      for (const key of ["", model]) {
        if (!found.has(key)) found.set(key, new Map());
        const byDay = /** @type {Map<string, [bigint, bigint]>} */ (found.get(key));
        const [r, i] = byDay.get(day) || [0n, 0n];
        byDay.set(day, [r + exact.exact(read), i + exact.exact(input)]);
      }
    }
    const shares = (/** @type {string} */ key) => days.map((day) => units.share(...(/** @type {Map<string, [bigint, bigint]>} */ (found.get(key)).get(day) || /** @type {[bigint, bigint]} */ ([0n, 0n]))));
    const inputs = (/** @type {string} */ key) => exact.sum(days.map((day) => (/** @type {any} */ (found.get(key)).get(day) || [0n, 0n])[1]));
    const models = [...found.keys()].filter((key) => key && inputs(key) > 0n).sort((a, b) => (inputs(b) > inputs(a) ? 1 : -1)).slice(0, 5);
    const lines = ["", ...models].map((key, n) => {
      const values = shares(key);
      return { name: key || "all models", place: n, values, texts: values.map((each) => (each === null ? "no input" : units.percent(each))) };
    });
    const read = (/** @type {string} */ key) => exact.sum(days.map((day) => (/** @type {any} */ (found.get(key)).get(day) || [0n, 0n])[0]));
    const keys = ["", ...models].map((key, n) => ({ name: key || "all models", place: n, text: units.percent(units.share(read(key), inputs(key)) ?? 0) }));
    const made = parts.card(title, "The share of input tokens that were read from the cache.",
      charts.draw({ days, lines, kind: "line", axis: (/** @type {number} */ value) => units.percent(value, 0), openFrom: reportParts.openFrom("usage_messages"), most: 1, label: title }),
      charts.legend(keys),
      reportParts.behind(title, () => cacheTable(days)));
    made.dataset.part = "cache";
    return made;
  }

  /** @param {string[]} days */
  function cacheTable(days) {
    const [first, last] = [days[0], /** @type {string} */ (days.at(-1))];
    const number = (/** @type {string} */ text) => ({ text, number: true });
    const rows = report.cache.rows.filter((/** @type {any[]} */ row) => row[0] >= first && row[0] <= last).reverse().map((/** @type {any[]} */ [day, model, read, written, input]) => {
      const share = units.share(exact.exact(read), exact.exact(input));
      return [day, model, units.count(exact.exact(read)), units.count(exact.exact(written)), units.count(exact.exact(input)), share === null ? "–" : units.percent(share)];
    });
    return { headings: ["Day", "Model", number("Read from it"), number("Written to it"), number("Input in all"), number("Share read")], rows };
  }

  /** @param {string[]} days */
  function codeCard(days) {
    const table = report.code;
    if (!table.rows.length) return parts.card("Claude Code", null, reportParts.reason(table));
    const byDay = new Map(codeRows(days).map((row) => [row[0], row]));
    const column = (/** @type {number} */ at) => days.map((day) => (byDay.has(day) ? exact.exact(/** @type {any[]} */ (byDay.get(day))[at]) : null));
    const line = (/** @type {string} */ name, /** @type {number} */ at, /** @type {number} */ place) => ({
      name, place, values: column(at).map((each) => (each === null ? 0 : exact.number(each))), texts: column(at).map((each) => units.count(each ?? 0n)),
    });
    const sum = (/** @type {number} */ at) => units.count(exact.sum(column(at)));
    const [accepted, rejected] = [column(7), column(8)];
    const rates = days.map((_, n) => units.share(accepted[n] ?? 0n, (accepted[n] ?? 0n) + (rejected[n] ?? 0n)));
    const rate = units.share(exact.sum(accepted), exact.sum(accepted) + exact.sum(rejected));
    const axis = (/** @type {number} */ value) => units.short(value);
    const open = reportParts.openFrom("claude_code");
    const small = (/** @type {string} */ title, /** @type {string} */ figure, /** @type {any[]} */ lines, /** @type {any} */ more = {}) =>
      el("div", {}, el("h3", {}, title, el("b", { text: figure })), charts.draw({ days, lines, kind: "bar", axis, openFrom: open, low: true, label: title, ...more }));
    const made = parts.card("Claude Code", "Of all actors, terminals, local and remote.",
      el("div", { class: "smalls" },
        small("Sessions", sum(2), [line("sessions", 2, 0)]),
        small("Lines of code, added and removed", `+${sum(3)} −${sum(4)}`, [line("added", 3, 0), line("removed", 4, 6)]),
        small("Commits and pull requests", `${sum(5)} and ${sum(6)}`, [line("commits", 5, 1), line("pull requests", 6, 2)]),
        small("Proposals accepted", rate === null ? "–" : units.percent(rate), [{ name: "accepted", place: 4, values: rates, texts: rates.map((each) => (each === null ? "none made" : units.percent(each))) }],
          { kind: "line", axis: (/** @type {number} */ value) => units.percent(value, 0), most: 1 })),
      reportParts.behind("Claude Code by day", () => codeTable(days)),
      report.code_actors.rows.length ? reportParts.behind("Claude Code by person and key", actorTable, "By person and key", "The last 30 days of the report, most sessions first.") : null);
    made.dataset.part = "code";
    return made;
  }

  const COUNTS = ["Sessions", "Lines added", "Lines removed", "Commits", "Pull requests", "Accepted", "Rejected"].map((text) => ({ text, number: true }));

  /** @param {string[]} days */
  function codeTable(days) {
    const rows = codeRows(days).reverse().map(([day, ...figures]) => [day, ...figures.map((each) => units.count(exact.exact(each)))]);
    return { headings: ["Day", { text: "Actors", number: true }, ...COUNTS], rows };
  }

  function actorTable() {
    const rows = report.code_actors.rows.map((/** @type {any[]} */ [name, type, ...figures]) => [name, type === "api_actor" ? "API key" : "person", ...figures.map((each) => units.count(exact.exact(each)))]);
    return { headings: ["Who", "Is", { text: "Days", number: true }, ...COUNTS], rows };
  }

  function moversCard() {
    const choices = /** @type {Array<[string, string]>} */ ([["spend_workspace", "Spend by workspace"], ["spend_model", "Spend by model"], ["tokens_workspace", "Tokens by workspace"], ["tokens_model", "Tokens by model"]]);
    const first = (choices.find(([each]) => report[each].rows.length) || choices[0])[0];
    const holder = el("div", {});
    const fill = (/** @type {string} */ name) => {
      const [what] = name.split("_");
      const table = report[name];
      holder.replaceChildren(table.rows.length ? reportParts.movers(series.seriesOf(report[`${what}_total`], table), what === "spend" ? reportParts.DOLLARS : reportParts.TOKENS) : reportParts.reason(table));
    };
    fill(first);
    const made = parts.card("Top movers", "The last seven final days against the seven before.", holder);
    made.querySelector("h2").after(el("div", { class: "scroll" }, dom.choice("What moved", choices, first, fill)));
    made.dataset.part = "movers";
    return made;
  }

  function pricesCard() {
    const table = report.prices;
    const title = "What a million tokens cost";
    if (!table.rows.length) return parts.card(title, null, reportParts.reason(table));
    const price = (/** @type {string | null} */ text) => (text === null ? "–" : units.dollars(exact.exact(text)));
    const number = (/** @type {string} */ text) => ({ text, number: true });
    return parts.card(title, "Of the days that both reports have whole.", dom.table(["Model", number("Tokens"), number("Cost"), number("Input"), number("Output"), number("All")],
      table.rows.map((/** @type {any[]} */ [model, tokens, cost, input, output, all]) => [el("b", { text: model }), units.count(exact.exact(tokens)), price(cost), price(input), price(output), price(all)]), title));
  }

  const restatedCard = () => parts.card("Restatements", "Closed days that came back different: every figure whose sum moved. Amounts are cents, as the report has them.", reportParts.restatements(report.restatements));

  window.lading.reportPage = { show };
})();
