/** Pages: elements, pictograms, and the frame of each screen. One address, one line of history; nothing is a link. */

import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: attributes as HTML has them, `on…` a listener, `null` and `false` left out; children may be text, elements,
 * lists of these, or nothing.
 */
export function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (value !== null && value !== false && value !== undefined) {
            element.setAttribute(name, value === true ? "" : value);
        }
    }
    element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
}

/** Have the pictograms in the page. */
export async function draw() {
    const text = await (await fetch("sprite.svg")).text();
    document.body.prepend(new DOMParser().parseFromString(text, "image/svg+xml").documentElement);
}

/** A pictogram of the page's sprite, for eyes alone: the words beside it say the same. */
export function icon(name, style = "") {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", `i ${style}`.trim());
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS(SVG, "use"));
    svg.firstChild.setAttribute("href", `#i-${name}`);
    return svg;
}

/** A drawn line of an SVG, for eyes alone. */
export function drawing(box, style, markup) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", box);
    svg.setAttribute("class", style);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (const [tag, attributes] of markup) {
        const part = document.createElementNS(SVG, tag);
        for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
        svg.append(part);
    }
    return svg;
}

/** A button that fills the width. */
export const button = (words, onclick, { icon: name = null, style = "", small = null, disabled = false } = {}) =>
    h(
        "button",
        { type: "button", class: `btn ${style}`.trim(), onclick, disabled },
        name && icon(name),
        h("span", {}, words, small && h("small", {}, small)),
    );

/** A row of a list that opens something. */
export const row = (name, title, small, onclick, count = null) =>
    h(
        "button",
        { type: "button", class: "row", onclick },
        h("span", { class: "ic" }, icon(name)),
        h("div", {}, h("b", {}, title), small && h("small", {}, small)),
        count === null ? icon("r") : h("span", { class: "cnt" }, String(count)),
    );

/** A field with its words; typed text must not reach what the browser remembers. */
export const field = (words, attributes, tag = "input") =>
    h(
        "label",
        { class: "fld" },
        h("span", {}, words),
        h(tag, { autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...attributes }),
    );

/** A note beside what has to be decided. */
export const note = (name, words, style = "") => h("p", { class: `note ${style}`.trim() }, icon(name), h("span", {}, words));

/**
 * Options to pick from: `[value, words, small?, icon?]` each. `onpick(value)` hears the choice; with `many` any number
 * may be picked, and it hears them all.
 */
export function pick(legend, options, chosen, onpick, { many = false, two = false } = {}) {
    const name = `p${Math.random()}`;
    const inputs = [];
    const heard = () => onpick(many ? inputs.filter((i) => i.checked).map((i) => i.value) : inputs.find((i) => i.checked)?.value);
    const labels = options.map(([value, words, small, sign]) => {
        const checked = many ? chosen.includes(value) : chosen === value;
        const input = h("input", { type: many ? "checkbox" : "radio", name, value, checked, onchange: heard });
        // A second tap on what is chosen is a wish to go on.
        if (!many) input.addEventListener("click", () => input.dataset.was === "1" && heard());
        if (checked) input.dataset.was = "1";
        inputs.push(input);
        return h("label", {}, input, sign && icon(sign), h("span", {}, words, small && h("small", {}, small)));
    });
    return h("fieldset", {}, h("legend", { class: legend.startsWith("!") ? "vh" : "" }, legend.replace(/^!/, "")),
        h("div", { class: two ? "pick two" : "pick" }, labels)); // prettier-ignore
}

/** Put a screen in place of the one before: bar on top with the way back and the lock, content, and what is below. */
export function show({ title, bar = null, back = null, lock = null, below = null, language = null }, ...content) {
    const heading = h("h1", { tabindex: "-1" }, title);
    const top = h(
        "header",
        {},
        back && h("button", { type: "button", "aria-label": t("page.back"), onclick: back }, icon("l")),
        h("b", {}, bar ?? t("app.name")),
        language,
        lock && h("button", { type: "button", class: "lock", onclick: lock }, icon("lock"), t("lock.now")),
    );
    const strip = drawing("0 0 480 8", "strip", [["rect", { width: 480, height: 8, fill: "url(#cloth)" }]]);
    document.title = t("app.name");
    page().replaceChildren(top, strip, h("main", {}, heading, content), ...(below ? [below] : []));
    heading.focus({ preventScroll: true });
    return heading;
}

/** Take everything off the screen. */
export const clear = () => page().replaceChildren();

const page = () => document.getElementById("page");

/** What a screen says in passing to whoever does not look: once for each change. */
export const status = (words) => h("p", { role: "status", class: "line" }, words);

/** Say what went wrong, at the place that is left for it, and let it be read out. */
export function complain(place, words) {
    place.replaceChildren(h("p", { class: "note bad", role: "alert" }, icon("warn"), h("span", {}, words)));
}
