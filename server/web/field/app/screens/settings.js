/** F10: language, size of letters, the lock, what an erasing leaves, and the erasing itself. */

import { app, go, keepSettings, lock } from "../app.js";
import { document as loaded } from "../documents.js";
import { wordsOf } from "../device.js";
import * as outbox from "../outbox.js";
import * as files from "../files.js";
import { button, h, icon, note, pick, row, show } from "../page.js";
import { below } from "./below.js";
import { speak, t } from "../words.js";
import { eraseAll, eraseReadable } from "../wipe.js";

const HOLD_MS = 3000;
const LOCK_MINUTES = ["1", "2", "5", "10"];

/** Settings; none of them says anything of anybody. */
export async function settings() {
    const { settings: now } = app;
    const isSafe = await navigator.storage?.persisted?.();
    const speaks = async (language) => {
        await keepSettings({ language });
        await speak(language);
        await settings();
    };
    show(
        { title: t("nav.settings"), lock, below: below("settings") },
        row("out", t("carry.title"), t("carry.small"), () => go("carry")),
        row("pen", t("set.practice"), t("set.practice_hint"), () => go("begin", true)),
        row("shield", t("set.check"), t("set.check_hint"), () => go("check")),
        pick(t("set.language"), ["fr", "en"].map((code) => [code, t(`language.${code}`)]), now.language, speaks, { two: true }),
        pick(t("set.size"), ["normal", "large", "huge"].map((size) => [size, t(`set.${size}`)]), now.size, (size) => keepSettings({ size })),
        pick(t("set.lock"), LOCK_MINUTES.map((n) => [n, t("set.minutes", { n })]), String(now.lockMinutes), (n) => keepSettings({ lockMinutes: Number(n) }), { two: true }),
        pick(t("erase.legend"), ["keep", "all"].map((rule) => [rule, t(`erase.${rule}`), t(`erase.${rule}_hint`)]), now.erase, (erase) => keepSettings({ erase })),
        note(isSafe ? "check" : "warn", t(isSafe ? "set.stored" : "set.unstored")),
        button(t("wipe.title"), () => go("wipe"), { icon: "trash" }),
    ); // prettier-ignore
}

/** What the centre and this phone must say alike. */
export async function check() {
    const words = wordsOf(app.box.device, await loaded("wordlist"));
    show(
        { title: t("set.check"), back: () => go("settings"), lock },
        h("p", {}, t("compare.hint")),
        h("ol", { class: "words", translate: "no" }, words.map((word) => h("li", {}, word))),
    );
}

/** Erase in a hurry: hold for three seconds, then slide. Keys go first. */
export async function wipe() {
    const { box } = app;
    const rule = app.settings.erase;
    const unsent = (await outbox.waiting(box.db)).counted + (await files.pending(box.db)).count;
    const place = h("div");
    const held = () => {
        const slide = h("input", { type: "range", class: "slide", min: 0, max: 100, value: 0, "aria-label": t("wipe.slide") });
        slide.addEventListener("input", async () => {
            if (Number(slide.value) < 95) return;
            slide.disabled = true;
            await (rule === "all" ? eraseAll(box) : eraseReadable(box));
            app.box = app.draft = null;
            location.reload();
        });
        place.replaceChildren(h("p", {}, t("wipe.slide")), slide);
        slide.focus();
    };
    show(
        { title: t("wipe.title"), back: () => go("settings"), lock },
        note("warn", rule === "all" ? t("wipe.confirm", { n: unsent }) : t("wipe.keeps", { n: unsent }), "bad"),
        holdButton(t("wipe.hold"), held),
        place,
    );
}

function holdButton(words, held) {
    const made = h("button", { type: "button", class: "btn hold" }, icon("trash"), words);
    let waiting;
    const press = (event) => {
        if (event.type === "keydown" && (event.key !== " " || event.repeat)) return;
        waiting = setTimeout(() => {
            made.classList.add("full");
            held();
        }, HOLD_MS);
    };
    const release = () => clearTimeout(waiting);
    for (const name of ["pointerdown", "keydown"]) made.addEventListener(name, press);
    for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup"]) made.addEventListener(name, release);
    return made;
}
