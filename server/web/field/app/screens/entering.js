/** F1, and the way to a hub: a locked notebook, a passphrase of words, a code, six words. */

import { app, begin, go, keepSettings, send } from "../app.js";
import { enrolDevice, keepDevice, loadDevice, wordsOf } from "../device.js";
import { choose } from "../drafts.js";
import { linkageKeysOf } from "../linking.js";
import { button, complain, field, h, icon, note, pick, show } from "../page.js";
import { normalCode } from "../protocol/enrolment.js";
import { LinkCut } from "../road.js";
import { LEAST_WORDS, MOST_FAILURES, createVault, lookAtVault, openVault, wordsOf as countWords } from "../vault.js";
import { eraseAll, eraseReadable } from "../wipe.js";
import { document as loaded } from "../documents.js";
import { speak, spoken, t } from "../words.js";

const OFFERED_WORDS = 5;

/** The locked notebook. */
export async function unlock() {
    const said = h("div");
    const open = async (event) => {
        event.preventDefault();
        const { value } = event.target.elements.words;
        if (!value.trim()) return;
        form.inert = true;
        said.replaceChildren(h("p", { role: "status" }, t("unlock.wait")));
        // Let the words reach the screen before the hard work.
        await new Promise((resolve) => setTimeout(resolve, 50));
        const keys = await openVault(app.db, value);
        form.inert = false;
        event.target.reset();
        if (keys) await enter(keys);
        else await refuse(said);
    };
    const form = h(
        "form",
        { autocomplete: "off", onsubmit: open },
        field(t("unlock.words"), { type: "password", name: "words", enterkeyhint: "go" }),
        said,
        h("button", { class: "btn go" }, t("unlock.open")),
    );
    show({ title: t("app.name"), language: languages(unlock) }, h("p", { class: "card" }, icon("book", "big")), form);
}

async function refuse(said) {
    const { failures } = await lookAtVault(app.db);
    if (failures < MOST_FAILURES) {
        complain(said, t("unlock.wrong"));
        return;
    }
    await eraseLocked();
}

/** After too many wrong words: what can be read goes; what waits for the centre stays, unless the rule says all. */
async function eraseLocked() {
    const box = { db: app.db, keys: {} };
    if (app.settings.erase === "all") await eraseAll(box);
    else await eraseReadable(box);
    location.reload();
}

async function enter(keys) {
    const box = { db: app.db, keys, device: null };
    await loadDevice(box);
    box.linkageKeys = await linkageKeysOf();
    await begin(box);
}

/** The first time: a language and a passphrase of words, some of which are offered. */
export async function welcome() {
    const list = await loaded("wordlist");
    const offered = Array.from({ length: OFFERED_WORDS }, () => choose(list)).join(" ");
    const said = h("div");
    const make = async (event) => {
        event.preventDefault();
        const { words, again } = event.target.elements;
        if (countWords(words.value) < LEAST_WORDS) complain(said, t("welcome.short", { n: LEAST_WORDS }));
        else if (words.value.trim() !== again.value.trim()) complain(said, t("welcome.differ"));
        else {
            const keys = await createVault(app.db, words.value);
            event.target.reset();
            await navigator.storage?.persist?.();
            await enter(keys);
        }
    };
    show(
        { title: t("welcome.title"), language: languages(welcome) },
        h("p", {}, t("welcome.why")),
        h("p", { class: "card" }, h("span", { class: "name", translate: "no" }, offered)),
        note("shield", t("welcome.learn")),
        h(
            "form",
            { autocomplete: "off", onsubmit: make },
            field(t("welcome.words"), { type: "password", name: "words" }),
            field(t("welcome.again"), { type: "password", name: "again" }),
            said,
            h("button", { class: "btn go" }, t("welcome.make")),
        ),
    );
}

/** The code that the centre gave. */
export async function enrol() {
    const said = h("div");
    const ask = async (event) => {
        event.preventDefault();
        const code = codeIn(event.target.elements.code.value);
        try {
            await enrolDevice(app.box, normalCode(code), "carnet-web/1");
            event.target.reset();
            await go("compare");
        } catch (error) {
            complain(said, t(error instanceof LinkCut ? "enrol.silent" : "enrol.refused"));
        }
    };
    show(
        { title: t("enrol.title") },
        h("p", {}, t("enrol.hint")),
        h(
            "form",
            { autocomplete: "off", onsubmit: ask },
            field(t("enrol.code"), { name: "code", autocapitalize: "characters" }),
            said,
            h("button", { class: "btn go" }, t("enrol.ask")),
        ),
    );
}

/** The code in what was typed or pasted: the text of a picture code holds it beside an address. */
function codeIn(typed) {
    try {
        return String(JSON.parse(typed).code);
    } catch {
        return typed;
    }
}

/** Six words that the centre must read out as well. */
export async function compare() {
    const list = await loaded("wordlist");
    const words = wordsOf(app.box.device, list);
    const same = async () => {
        await keepDevice(app.box, { isConfirmed: true });
        await go("rules");
        void send();
    };
    const differ = async () => {
        await eraseAll(app.box);
        location.reload();
    };
    show(
        { title: t("compare.title") },
        h("p", {}, t("compare.hint")),
        h("ol", { class: "words", translate: "no" }, words.map((word) => h("li", {}, word))),
        button(t("compare.same"), same, { icon: "check", style: "go" }),
        button(t("compare.differ"), differ, { icon: "warn" }),
    );
}

/** What an erasing in a hurry leaves: chosen once, at leisure. */
export async function rules() {
    const options = ["keep", "all"].map((rule) => [rule, t(`erase.${rule}`), t(`erase.${rule}_hint`)]);
    show(
        { title: t("erase.title") },
        pick(t("erase.legend"), options, app.settings.erase, (erase) => keepSettings({ erase })),
        button(t("page.go_on"), () => go("home"), { style: "go" }),
    );
}

/** A phone that was wiped from afar: it only brings away what nobody else has. */
export async function wiped() {
    show(
        { title: t("wiped.title") },
        h("p", {}, t("wiped.hint")),
        button(t("home.try"), () => send(), { icon: "sync", style: "go" }),
    );
}

function languages(again) {
    const other = spoken() === "fr" ? "en" : "fr";
    const change = async () => {
        await keepSettings({ language: other });
        await speak(other);
        await again();
    };
    return h("button", { type: "button", lang: other, onclick: change }, t(`language.${other}`));
}
