/** Every question can be heard: by a recording where there is one, else by a voice of the phone itself. */

import { h, icon } from "./page.js";
import { spoken, t } from "./words.js";

/** A voice that speaks without a network: one elsewhere would hear what is asked. */
const voice = () =>
    globalThis.speechSynthesis?.getVoices().find((each) => each.localService && each.lang.startsWith(spoken())) ?? null;

/** Say these words, where the phone has a voice of its own. */
export function say(words) {
    const own = voice();
    if (!own) return;
    speechSynthesis.cancel();
    const utterance = new SpeechSynthesisUtterance(words);
    utterance.voice = own;
    utterance.lang = own.lang;
    speechSynthesis.speak(utterance);
}

/** The button that says a question; nothing where no voice would answer. */
export function hearButton(words) {
    const made = h("button", { type: "button", class: "hear", onclick: () => say(words), hidden: !voice() }, icon("ear"), t("q.hear"));
    // Browsers find their voices late.
    globalThis.speechSynthesis?.addEventListener?.("voiceschanged", () => (made.hidden = !voice()), { once: true });
    return made;
}

/** Stop saying anything. */
export const hush = () => globalThis.speechSynthesis?.cancel();
