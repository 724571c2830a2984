// Keys, focus and the lost link. Every page works without it: it presses what stands there, and nothing else.
(() => {
  "use strict";
  const BUSY_AFTER_MS = 400;
  const one = (selector, root = document) => root.querySelector(selector);
  let waiting = 0;
  let failed = null;

  const isTyping = (element) =>
    element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=button])");
  const isThere = (element) => !element.disabled && element.getClientRects().length > 0;
  const pressed = (event) => (event.key === "Enter" ? "enter" : event.key.toLowerCase());

  function press(element) {
    if (element.matches("input[type=checkbox], input[type=radio], a, button, summary")) {
      if (element.matches("input, summary")) element.focus();
      element.click();
    } else {
      element.focus();
    }
  }

  function keyed(key) {
    return [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(isThere);
  }

  // In a list J and K go from row to row, and X ticks the box of the row where one is.
  function inList(key) {
    const rows = [...document.querySelectorAll("[data-rows] > *")].filter((row) => one("a[href]", row));
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    if (key === "x") return at < 0 ? null : one("input[type=checkbox]", rows[at]);
    const step = { j: 1, k: -1 }[key];
    const row = step && rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
    return row ? one("a[href]", row) : null;
  }

  document.addEventListener("keydown", (event) => {
    const mode = document.documentElement.dataset.keys;
    if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
    if (mode === "off" || event.ctrlKey || event.metaKey || event.altKey !== (mode === "alt")) return;
    if (isTyping(event.target) || one("dialog[open]")) return;
    const key = pressed(event);
    // A key that is held down walks on and decides nothing: the next complaint would get what was meant for this one.
    if (event.repeat && !["j", "k"].includes(key)) return;
    // What has the focus is pressed by these keys, whatever else they do on the page.
    if (["enter", " "].includes(key) && event.target.matches("a, button, summary")) return;
    if (key === "?") {
      event.preventDefault();
      return showKeys();
    }
    const element = keyed(key);
    const other = element ? null : inList(key);
    if (element || other) event.preventDefault();
    if (element) press(element);
    else if (other?.matches("a")) other.focus();
    else other?.click();
  });

  const nameOf = (element) => {
    const label = element.labels?.[0] ?? element;
    const copy = label.cloneNode(true);
    copy.querySelectorAll("kbd, svg, select, input").forEach((part) => part.remove());
    return element.getAttribute("aria-label") ?? copy.textContent.trim().replace(/\s+/g, " ");
  };

  function showKeys() {
    const dialog = one("#keys");
    if (!dialog) return;
    const seen = new Map();
    document.querySelectorAll("[data-key]").forEach((element) => {
      if (isThere(element) && !seen.has(element.dataset.key)) seen.set(element.dataset.key, nameOf(element));
    });
    one("dl", dialog).replaceChildren(
      ...[...seen].flatMap(([key, name]) => {
        const term = document.createElement("dt");
        const shown = document.createElement("kbd");
        shown.textContent = key === "enter" ? "↵" : key.toUpperCase();
        term.append(shown);
        const meaning = document.createElement("dd");
        meaning.textContent = name;
        return [term, meaning];
      }),
    );
    dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    // The second half of a double click would fall on what the first has put there.
    if (event.detail > 1 && event.target.closest("button:not([type=button])")) event.preventDefault();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
    if (event.target.closest("[data-again]") && failed) again(failed);
    if (event.target.closest("[data-drop]")) found();
    const button = event.target.closest("[data-sound] button");
    if (button) heard(button);
  });

  // What is heard: from the beginning or on, five seconds back or forth, slower or faster.
  function heard(button) {
    const sound = one("audio.copy");
    if (button.dataset.jump) sound.currentTime += Number(button.dataset.jump);
    else if (button.dataset.speed) {
      sound.playbackRate = Number(button.dataset.speed);
      document.querySelectorAll("[data-speed]").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    } else if (sound.paused) sound.play();
    else sound.pause();
  }

  function again({ source, submitter }) {
    one("#lost").hidden = true;
    if (source.matches("form")) source.requestSubmit(submitter ?? undefined);
    else source.click();
  }

  function lost() {
    one("#lost").hidden = false;
    one("[data-drop]").hidden = !failed.source.matches("form");
    one("[data-again]").focus();
  }

  function found() {
    failed = null;
    one("#lost").hidden = true;
  }

  document.addEventListener("htmx:before:request", (event) => {
    // A form that did not get through waits: another page in its place would let it go unseen.
    if (failed?.source.matches("form") && failed.source.isConnected && failed.source !== event.detail.ctx.sourceElement) {
      event.preventDefault();
      return lost();
    }
    clearTimeout(waiting);
    found();
    waiting = setTimeout(() => one("#main").setAttribute("aria-busy", "true"), BUSY_AFTER_MS);
  });
  document.addEventListener("htmx:finally:request", () => {
    clearTimeout(waiting);
    one("#main")?.removeAttribute("aria-busy");
  });
  document.addEventListener("htmx:error", ({ detail }) => {
    if (!detail.ctx) return;
    failed = { source: detail.ctx.sourceElement, submitter: detail.ctx.request?.submitter };
    lost();
  });
  document.addEventListener("htmx:after:swap", ({ detail }) => {
    const where = detail.ctx?.target;
    // An answer may say by a selector where it belongs.
    const target = typeof where === "string" ? one(where) : where;
    const goal = one("[autofocus]", target) ?? one("[data-focus]", target) ?? (target === document.body ? one("#main") : target);
    goal?.focus?.({ preventScroll: target !== document.body });
    if (target === document.body) scrollTo(0, 0);
  });
})();
