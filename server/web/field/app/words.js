/** What Carnet says: texts by key, in the language of this phone, kept with the app. */

import { document as loaded } from "./documents.js";

let texts = {};
let labels = {};
let language = "fr";

/** Have all texts in this language from now on. */
export async function speak(wanted) {
    texts = await (await fetch(`words.${wanted}.json`)).json();
    language = wanted;
    document.documentElement.lang = wanted;
}

/** Have what codes are called, too: they come behind the texts. */
export async function nameCodes() {
    labels = await loaded(`labels.${language}`);
}

/** The language of this phone. */
export const spoken = () => language;

/** The text of a key with its placeholders filled; a key that has none fails loudly. */
export function t(key, values = {}) {
    const text = texts.texts[key];
    if (text === undefined) throw new Error(`no text ${key}`);
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The text of `key.one` or `key.other`. */
export const tn = (key, n, values = {}) => t(`${key}.${n < 2 && !(language === "en" && n === 0) ? "one" : "other"}`, { n, ...values });

/** The label of a code on a list. */
export const label = (list, code) => labels[list]?.[code] ?? code;

/** What the codes of a list are called. */
export const labelsOf = (list) => labels[list] ?? {};

/** What pictures are called, by their names. */
export const pictures = () => texts.pictures;

/** A day or time as people say it. */
export const said = (time, options) => new Intl.DateTimeFormat(language, options).format(time);
