/** F7 and F8: what the centre asks to be done; details behind the passphrase and a reason, gone once the result is sealed. */

import { app, go, lock } from "../app.js";
import { dayOf, second } from "../complaint.js";
import { document as loaded } from "../documents.js";
import * as outbox from "../outbox.js";
import { button, complain, field, h, note, pick, row, show } from "../page.js";
import { leaveTask, looksAt, noteLook, tasks } from "../received.js";
import { forgetKeys, givesAway, openVault } from "../vault.js";
import { label, t } from "../words.js";
import { below } from "./below.js";
import { shortDay } from "./home.js";

// By kind, what can come of it; the first is what it was set for. PROTOCOL §3.7.
const OUTCOMES = {
    visit: ["verified", "not_found", "refused", "turned_back"],
    ask: ["answered", "not_met", "refused", "turned_back"],
    collect: ["collected", "no_document", "not_met", "refused", "turned_back"],
    inform: ["informed", "not_met", "refused", "turned_back"],
    quarterly: ["unchanged", "better", "worse", "not_met", "refused", "turned_back"],
    choice: ["chosen", "declined", "later", "not_met", "turned_back"],
};
const FINDS = new Set(["visit", "ask", "collect"]);

/** Tasks by place and window. */
export async function visits() {
    const [due, places] = [await tasks(app.box), await loaded("places")];
    const rows = due.map((task) => {
        const between = t("home.between", { a: shortDay(task.from), b: shortDay(task.to) });
        const where = task.place ? (places.cercles[task.place] ?? places.regions[task.place])?.name : t("visit.no_place");
        return row("pin", where ?? task.place, `${label("task_kind", task.what)} · ${between}`, () => go("visit", task));
    });
    show({ title: t("nav.visits"), lock, below: below("visits") }, rows.length ? h("div", { class: "lists" }, rows) : h("p", {}, t("visit.none")));
}

/** One task; its details ask for the passphrase again, and why. */
export async function visit(task) {
    const said = h("div");
    const open = async (event) => {
        event.preventDefault();
        const { why, words } = event.target.elements;
        if (!why.value.trim()) return complain(said, t("visit.say_why"));
        // A passphrase typed into the wrong field would travel with the report.
        if (words.value && givesAway(why.value, words.value)) return complain(said, t("visit.given_away"));
        const keys = await openVault(app.db, words.value);
        if (!keys) return complain(said, t("unlock.wrong"));
        forgetKeys(keys);
        await noteLook(app.box, task.id, second(app.now()), why.value.trim().slice(0, 200));
        return go("details", task);
    };
    show(
        { title: label("task_kind", task.what), back: () => go("visits"), lock },
        h("p", {}, t("home.between", { a: shortDay(task.from), b: shortDay(task.to) })),
        h("p", {}, t("visit.ways", { ways: (task.by ?? []).map((way) => label("contact_way", way)).join(", ") || t("visit.no_way") })),
        h("form", { autocomplete: "off", onsubmit: open },
            field(t("visit.why"), { name: "why", maxlength: 200 }),
            field(t("unlock.words"), { type: "password", name: "words" }),
            said,
            h("button", { class: "btn go" }, t("visit.open"))),
        button(t("visit.done"), () => go("report", task), { icon: "check" }),
    ); // prettier-ignore
}

/** What the centre sealed to this phone. */
export async function details(task) {
    const { box } = task;
    const lines = [["words", box.words], ["statement", box.statement?.narrative], ["said", box.traces?.said]];
    const persons = (box.identity?.persons ?? []).map((person) => [person.name, person.phone].filter(Boolean).join(" · "));
    const contact = Object.entries(box.identity?.contact ?? {}).map(([name, value]) => `${t(`contact.${name}`)} ${value}`);
    show(
        { title: t("visit.details"), back: () => go("visit", task), lock },
        note("shield", t("visit.careful")),
        lines.filter(([, value]) => value).map(([name, value]) => h("section", {}, h("h2", {}, t(`visit.${name}`)), h("p", { class: "say" }, String(value)))),
        [...persons, ...contact].map((line) => h("p", {}, line)),
        button(t("visit.done"), () => go("report", task), { icon: "check", style: "go" }),
    );
}

/** What came of it: codes that leave in clear, and words that are sealed. */
export async function report(task) {
    const vocabulary = await loaded("vocabulary");
    const told = { outcome: null, words: {} };
    const said = h("div");
    const coded = (list, codes = vocabulary.lists[list]) => codes.map((code) => [code, label(list, code)]);
    const finding = h("div", { class: "lists" });
    const find = () => {
        const isFound = FINDS.has(task.what) && told.outcome === OUTCOMES[task.what][0];
        finding.replaceChildren(...(isFound ? [
            field(t("visit.heard"), { maxlength: 200, oninput: (event) => (told.words.heard = event.target.value) }),
            pick(t("visit.method"), coded("verification_method"), null, (method) => (told.method = method)),
            field(t("visit.sources"), { inputmode: "numeric", maxlength: 2, oninput: (event) => (told.sources = Number(event.target.value) || null) }),
            field(t("visit.documents"), { maxlength: 200, oninput: (event) => (told.words.documents = event.target.value) }),
            pick(t("visit.finding"), coded("finding"), null, (value) => (told.finding = value)),
            pick(t("visit.certainty"), coded("certainty"), null, (value) => (told.certainty = value)),
        ] : [])); // prettier-ignore
    };
    const seal = async () => {
        if (!told.outcome) return complain(said, t("visit.say_outcome"));
        await sealReport(task, told);
        return go("visits");
    };
    show(
        { title: t("visit.report"), back: () => go("visit", task), lock },
        pick(t("visit.outcome"), coded("task_outcome", OUTCOMES[task.what]), null, (outcome) => {
            told.outcome = outcome;
            find();
        }),
        finding,
        field(t("visit.note"), { rows: 4, maxlength: 20_000, oninput: (event) => (told.words.note = event.target.value) }, "textarea"),
        said,
        note("lock", t("visit.seal_hint")),
        button(t("visit.seal"), seal, { icon: "lock", style: "go" }),
    ); // prettier-ignore
}

async function sealReport(task, { outcome, words, ...codes }) {
    const { box } = app;
    const looks = await looksAt(box, task.id);
    const given = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value));
    const content = {
        task: task.id,
        outcome,
        done_on: dayOf(app.now()),
        ...given(codes),
        report: { clear: { ...given(words), looks } },
    };
    const { scope = {} } = task.box;
    const elsewhere = [scope.team ?? null, scope.partner ?? null];
    const sealedTo = { region: scope.region ?? null, isStrict: scope.is_strict !== false, elsewhere };
    await outbox.finalise(box, [{ op: "task_done", id: crypto.randomUUID(), content, scope: sealedTo }], {
        also: (stores) => leaveTask(stores, task.id),
    });
}
