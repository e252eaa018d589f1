"use strict";
// Before anything is drawn: light or dark, as it was chosen here, or else as the system has it.
(function () {
  const key = "lading-theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  /** @type {Array<() => void>} */
  const listeners = [];

  /** @returns {string | null} What was chosen here; a page opened as a file may remember nothing. */
  function chosen() {
    try {
      return window.localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  /** @param {string | null} [wish] */
  function apply(wish) {
    const theme = wish || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    listeners.forEach((each) => each());
  }

  function toggle() {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      window.localStorage.setItem(key, next);
    } catch {
      // It counts until the page is left.
    }
    apply(next);
  }

  dark.addEventListener("change", () => apply(chosen()));
  const lading = (window.lading = window.lading || { data: {} });
  lading.theme = {
    toggle,
    /** @param {() => void} listener Told whenever the theme has changed. */
    whenChanged: (listener) => listeners.push(listener),
    /** @param {string} name @returns {string} The value of a colour of the style sheet. */
    colour: (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(),
  };
  apply(chosen());
})();
