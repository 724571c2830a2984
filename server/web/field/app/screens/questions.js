/** F4 and F5: nine questions, one a screen, and the envelope that is closed at their end. */

import { app, go, lock } from "../app.js";
import { NAMED_LEVELS, buildComplaint, dangers, dayOf, hasMinor, isCorruption } from "../complaint.js";
import { choose, dropDraft, forgetDraft, newDraft, openDrafts, saveDraft } from "../drafts.js";
import { document as loaded } from "../documents.js";
import * as files from "../files.js";
import * as outbox from "../outbox.js";
import { button, complain, field, h, icon, note, pick, show } from "../page.js";
import { newReceipt } from "../protocol/receipts.js";
import { isStrict } from "../protocol/sealing.js";
import { pieces } from "./pieces.js";
import { place } from "./place.js";
import { recorder } from "./recorder.js";
import { hearButton, say } from "../speech.js";
import { label, pictures, t } from "../words.js";
import { nameOf } from "./home.js";

const PEOPLE_MOST = 1_000_000;
const ACCUSED_SHOWN = ["armed_forces", "gendarmerie", "police", "customs", "civil_servant", "armed_group", "family_spouse", "other"];
const FAMILIES = ["corruption", "rights", "gbv", "service", "other"];
const URGENCY = ["within_72h", "minor", "detained", "reprisals", "witness", "eviction"];
const KINDS_MOST = 5;
const ACCUSED_MOST = 5;
const SAFE = ["how", "when", "through", "say"];

/** Begin a complaint; `practice` makes it an exercise that is never sent. */
export async function begin(practice = false) {
    app.draft = { ...newDraft(app.now()), practice };
    await question();
}

/** Go on with a draft. */
export async function resume(draft) {
    app.draft = draft;
    await question();
}

/** The questions in their order; those that the answers do not call for are passed over. */
const QUESTIONS = [
    { name: "danger", fill: danger },
    { name: "story", fill: story },
    { name: "family", fill: family },
    { name: "place", fill: place },
    { name: "when", fill: when },
    { name: "who", fill: who },
    { name: "money", fill: money, applies: isCorruption, within: "who" },
    { name: "victims", fill: victims },
    { name: "pieces", fill: pieces },
    { name: "consent", fill: consent },
    { name: "contact", fill: contact, within: "consent" },
];
const COUNTED = QUESTIONS.filter((each) => !each.within);

async function question() {
    const { draft } = app;
    const asked = QUESTIONS[draft.at];
    const keep = async (members, { goesOn = false } = {}) => {
        Object.assign(draft, members);
        await saveDraft(app.box, draft);
        if (goesOn) await move(1);
    };
    const move = async (step) => {
        await app.leaving?.();
        app.leaving = null;
        let at = draft.at + step;
        while (QUESTIONS[at]?.applies && !QUESTIONS[at].applies(draft)) at += step;
        if (at < 0) return go("home");
        if (at >= QUESTIONS.length) return go("envelope");
        draft.at = at;
        await saveDraft(app.box, draft);
        return question();
    };
    const next = button(t("q.next"), () => move(1), { style: "go" });
    next.append(icon("r"));
    next.dataset.next = "";
    const back = h("button", { type: "button", class: "btn", "aria-label": t("page.before"), onclick: () => move(-1) }, icon("l"));
    const content = h("div", { class: "lists" });
    const heading = show(
        {
            title: t(`q.${asked.name}`),
            bar: t(draft.practice ? "q.practice" : "q.kept"),
            back: () => go("home"),
            lock,
            below: h("footer", {}, back, next),
        },
        content,
    );
    heading.before(progress(asked));
    app.at = ["question", asked.name];
    app.leaving = await fill(asked, draft, keep, content, next);
}

/** Put a question on the screen, again after answers that call for more; gives what ends it. */
async function fill(asked, draft, keep, content, next) {
    const redraw = async () => {
        const parts = await asked.fill(draft, keep, redraw, next);
        content.replaceChildren(hearButton(spokenWords(asked, draft)), ...parts.flat(3).filter(Boolean));
        return parts.ends;
    };
    return redraw();
}

const spokenWords = ({ name }) => (name === "consent" ? [t("q.consent"), ...LEVELS.map((level) => t(`c.${level}`))].join(" ") : t(`q.${name}`));

function progress(asked) {
    const name = asked.within ?? asked.name;
    const at = COUNTED.findIndex((each) => each.name === name);
    const words = t("q.progress", { n: at + 1, all: COUNTED.length });
    const marks = COUNTED.map((_, n) => h("i", { class: n < at ? "d" : n === at ? "n" : "" }));
    return h("div", { class: "steps-bar", role: "img", "aria-label": words }, marks);
}

const coded = (list, codes) => codes.map((code) => [code, label(list, code)]);

async function danger(answers, keep, redraw) {
    const options = coded("danger", ["yes", "no", "unknown"]);
    const chosen = (value) => (value === "yes" ? keep({ danger: value }).then(redraw) : keep({ danger: value, urgency: {} }, { goesOn: true }));
    const parts = [pick(`!${t("q.danger")}`, options, answers.danger, chosen)];
    if (answers.danger === "yes") {
        const named = Object.keys(answers.urgency);
        const ticked = (codes) => keep({ urgency: Object.fromEntries(codes.map((code) => [code, true])) });
        parts.push(pick(t("q.urgency"), URGENCY.map((code) => [code, t(`urgency.${code}`)]), named, ticked, { many: true }));
        parts.push(await emergency(answers));
    }
    return parts;
}

/** What to do first, where to go and whom to call. */
async function emergency(answers) {
    const cards = await loaded("cards");
    const vocabulary = await loaded("vocabulary");
    const around = [answers.cercle, answers.region].filter(Boolean).map((id) => cards.place[id]).filter(Boolean);
    return dangers(answers, vocabulary).map((reason) => {
        const advice = cards.reason[reason];
        const care = around.map((local) => local.care?.[reason]).find(Boolean) ?? advice.care;
        const numbers = [...(around.find((local) => local.numbers)?.numbers ?? []), ...cards.everywhere.numbers];
        return h(
            "section",
            { class: "urgent" },
            h("h2", {}, advice.title),
            h("ol", { class: "steps" }, advice.steps.map((step) => h("li", {}, step))),
            h("p", {}, care),
            h("ul", {}, numbers.map((each) => h("li", {}, `${each.label} : `, h("b", {}, each.number)))),
        );
    });
}

async function story(answers, keep, redraw, next) {
    const voice = await recorder(answers, redraw, next);
    const written = field(t("q.story_write"), { rows: 5, maxlength: 20_000, id: "narrative" }, "textarea");
    const box = written.querySelector("textarea");
    box.value = answers.narrative;
    box.addEventListener("input", () => keep({ narrative: box.value, narrativeLanguage: box.value ? "fra" : null }));
    const parts = [voice.parts, note("shield", t("q.story_hint")), written];
    parts.ends = voice.ends;
    return parts;
}

async function family(answers, keep, redraw) {
    const vocabulary = await loaded("vocabulary");
    const options = FAMILIES.map((code) => [code, t(`family.${code}`), null, code]);
    const chosen = (value) => keep({ family: value, kinds: otherKind(vocabulary, value), money: {} }).then(redraw);
    const parts = [pick(`!${t("q.family")}`, options, answers.family, chosen, { two: true })];
    if (answers.family) {
        const kinds = kindsOf(vocabulary, answers.family);
        if (kinds.length > 1) {
            const picked = (codes) => keep({ kinds: codes.length ? codes.slice(0, KINDS_MOST) : otherKind(vocabulary, answers.family) });
            parts.push(pick(t("q.kinds"), coded("kind", kinds), answers.kinds, picked, { many: true }));
        }
        parts.push(await emergency({ ...answers, danger: null }));
    }
    return parts;
}

const kindsOf = (vocabulary, family) => Object.keys(vocabulary.kind).filter((code) => vocabulary.kind[code].family === family);

/** The family's own *other*, where it has one: who skips the detail has still said the family. */
const otherKind = (vocabulary, family) => kindsOf(vocabulary, family).filter((code, _, all) => all.length === 1 || code.endsWith("-OTH"));

const DAY_MS = 86_400_000;

async function when(answers, keep, redraw) {
    const today = app.now();
    const days = { today, yesterday: new Date(today - DAY_MS), this_week: new Date(today - 6 * DAY_MS) };
    const chosen = (value) => {
        if (value === "unknown") return keep({ when: value, incident: { from: null, precision: "unknown" } }, { goesOn: true });
        if (value === "this_week") return keep({ when: value, incident: { from: dayOf(days.this_week), to: dayOf(today), precision: "week" } }, { goesOn: true });
        if (value === "earlier") return keep({ when: value, incident: null }).then(redraw);
        return keep({ when: value, incident: { from: dayOf(days[value]), precision: "day" } }).then(redraw);
    };
    const options = ["today", "yesterday", "this_week", "earlier", "unknown"].map((code) => [code, t(`when.${code}`)]);
    const parts = [pick(`!${t("q.when")}`, options, answers.when, chosen)];
    if (answers.when === "earlier") parts.push(typedDay(answers, keep));
    if (["today", "yesterday"].includes(answers.when) || answers.incident?.precision === "day") {
        const sure = (precision) => keep({ incident: { ...answers.incident, precision } }, { goesOn: true });
        parts.push(pick(t("q.when_sure"), ["day", "estimate"].map((code) => [code, t(`sure.${code}`)]), null, sure));
    }
    return parts;
}

/** Day, month and year in three fields, of which the year alone has to be said. */
function typedDay(answers, keep) {
    const said = h("div");
    const inputs = ["d", "m", "y"].map((part) => field(t(`when.${part}`), { inputmode: "numeric", maxlength: part === "y" ? 4 : 2, name: part }));
    const read = async () => {
        const [day, month, year] = inputs.map((label) => label.querySelector("input").value.trim());
        if (year.length < 4) return;
        const incident = spanOf(day, month, year);
        if (incident === null) complain(said, t("when.unread"));
        else {
            said.replaceChildren();
            await keep({ incident });
        }
    };
    for (const input of inputs) input.addEventListener("input", read);
    return [h("div", { class: "dmy" }, inputs), said];
}

/** First day, last day and precision; null for a day that does not exist. */
export function spanOf(day, month, year) {
    const [d, m, y] = [Number(day || 1), Number(month || 1), Number(year)];
    const first = new Date(y, m - 1, d);
    if (first.getFullYear() !== y || first.getMonth() !== m - 1 || first.getDate() !== d) return null;
    if (day) return { from: dayOf(first), precision: "day" };
    if (month) return { from: dayOf(first), to: dayOf(new Date(y, m, 0)), precision: "month" };
    return { from: dayOf(first), to: dayOf(new Date(y, 11, 31)), precision: "year" };
}

async function who(answers, keep) {
    const vocabulary = await loaded("vocabulary");
    const rest = vocabulary.lists.perpetrator_category.filter((code) => !ACCUSED_SHOWN.includes(code));
    const picked = { first: [], rest: [] };
    for (const { category } of answers.perpetrators) picked[rest.includes(category) ? "rest" : "first"].push(category);
    const choices = (part, codes, style) => {
        const options = codes.map((code) => [code, label("perpetrator_category", code), null, style.two ? code : null]);
        const heard = (chosen) => {
            picked[part] = chosen;
            const all = [...picked.first, ...picked.rest].slice(0, ACCUSED_MOST);
            void keep({ perpetrators: all.map((category) => ({ roles: ["alleged_perpetrator"], category })) });
        };
        return pick(`!${t("q.who")}`, options, picked[part], heard, { many: true, ...style });
    };
    return [
        choices("first", ACCUSED_SHOWN, { two: true }),
        h("details", {}, h("summary", {}, t("q.who_more")), choices("rest", rest, {})),
    ];
}

async function money(answers, keep, redraw) {
    const amount = (name, words) => {
        const input = field(words, { inputmode: "numeric", maxlength: 12, value: answers.money[name] ?? "" });
        input.addEventListener("input", (event) => {
            const digits = event.target.value.replace(/\D/g, "");
            void keep({ money: { ...answers.money, [name]: digits ? Number(digits) : null } });
        });
        return input;
    };
    const paid = (value) => keep({ money: { ...answers.money, paid: value } }).then(redraw);
    const parts = [amount("asked_xof", t("money.asked")), pick(t("money.paid"), coded("paid", ["yes", "no", "partial", "refused", "unknown"]), answers.money.paid, paid)];
    if (["yes", "partial"].includes(answers.money.paid)) {
        const receipt = (value) => keep({ money: { ...answers.money, receipt_given: value === "yes" } });
        const was = answers.money.receipt_given;
        parts.push(amount("paid_xof", t("money.how_much")));
        parts.push(pick(t("money.receipt"), yesNo(), was === undefined ? null : was ? "yes" : "no", receipt));
    }
    return parts;
}

const yesNo = () => ["yes", "no"].map((code) => [code, t(`page.${code}`)]);

async function victims(answers, keep, redraw) {
    const vocabulary = await loaded("vocabulary");
    const speaker = answers.victims.find((person) => person.roles.includes("complainant"));
    const parts = [pick(t("victims.speaker"), yesNo(), answers.speaker ?? null, async (value) => {
        const others = answers.victims.filter((person) => !person.roles.includes("complainant"));
        const self = value === "yes" ? [{ roles: ["complainant", "victim"] }] : [];
        await keep({ speaker: value, victims: [...self, ...(others.length || value === "yes" ? others : [{ roles: ["victim"], count: 1 }])] });
        await redraw();
    })]; // prettier-ignore
    for (const person of answers.victims) {
        const set = (members) => {
            Object.assign(person, members);
            return keep({ victims: answers.victims });
        };
        parts.push(
            h("section", { class: "lists" },
                person !== speaker && count(person, set),
                pick(t("victims.sex"), coded("sex", vocabulary.lists.sex), person.sex, (sex) => set({ sex })),
                pick(t("victims.age"), coded("age_band", vocabulary.lists.age_band), person.age, (age) => set({ age }), { two: true })),
        ); // prettier-ignore
    }
    parts.push(button(t("victims.more"), async () => {
        await keep({ victims: [...answers.victims, { roles: ["victim"], count: 1 }] });
        await redraw();
    }, { icon: "plus" })); // prettier-ignore
    return parts;
}

function count(person, set) {
    const input = field(t("victims.count"), { inputmode: "numeric", maxlength: 7, value: person.count ?? "" });
    input.addEventListener("input", (event) => {
        const number = Math.min(Number(event.target.value.replace(/\D/g, "")), PEOPLE_MOST);
        void set({ count: number || null });
    });
    return input;
}

const LEVELS = ["C0", "C1", "C2", "C3", "C4"];

async function consent(answers, keep, redraw, next) {
    const vocabulary = await loaded("vocabulary");
    const agreed = answers.consent;
    const set = (members) => keep({ consent: { ...agreed, ...members } });
    // The one question that can't be passed over.
    next.disabled = agreed.level === null;
    const chosen = async (level) => {
        await keep({ consent: level === "C0" ? { level, bodies: [] } : { ...agreed, level, on: dayOf(app.now()), bodies: NAMED_LEVELS.has(level) ? (agreed.bodies ?? []) : [] } });
        await redraw();
    };
    const parts = [pick(`!${t("q.consent")}`, LEVELS.map((level) => [level, t(`c.${level}`)]), agreed.level, chosen)];
    if (agreed.level !== null && agreed.level !== "C0") {
        if (NAMED_LEVELS.has(agreed.level)) {
            const bodies = coded("body", vocabulary.lists.body);
            parts.push(pick(t("c.bodies"), bodies, agreed.bodies, (codes) => set({ bodies: codes }), { many: true }));
        }
        parts.push(pick(t("c.given_by"), coded("consent_given_by", vocabulary.lists.consent_given_by), agreed.given_by, (given_by) => set({ given_by }).then(redraw)));
        if (hasMinor(answers)) parts.push(pick(t("c.assent"), yesNo(), was(agreed.assent), (value) => set({ assent: value === "yes" })));
        parts.push(pick(t("c.form"), coded("consent_form", vocabulary.lists.consent_form), agreed.form, (form) => set({ form }).then(redraw)));
        parts.push(pick(t("c.aloud"), yesNo(), was(agreed.read_aloud), (value) => set({ read_aloud: value === "yes" }).then(redraw)));
    }
    parts.push(pick(t("c.hold"), [["", t("page.no")], ...coded("withhold_reason", vocabulary.lists.withhold_reason)], agreed.withhold ?? "", (value) => set({ withhold: value || null })));
    parts.push(note("shield", t("c.change")));
    return parts;
}

const was = (value) => (value === undefined || value === null ? null : value ? "yes" : "no");

async function contact(answers, keep, redraw) {
    const chosen = (value) => keep({ contactOk: value, contact: value === "yes" ? answers.contact : {} }).then(redraw);
    const parts = [pick(`!${t("q.contact")}`, coded("contact_ok", ["yes", "in_person", "never"]), answers.contactOk, chosen)];
    if (answers.contactOk === "yes") {
        parts.push(SAFE.map((name) => text(t(`contact.${name}`), answers.contact[name], (value) => keep({ contact: { ...answers.contact, [name]: value } }))));
    }
    if (NAMED_LEVELS.has(answers.consent.level)) {
        parts.push(note("lock", t("id.why")));
        parts.push(text(t("id.name"), answers.name, (name) => keep({ name })));
        parts.push(text(t("id.phone"), answers.phone, (phone) => keep({ phone }), { inputmode: "tel", maxlength: 80 }));
    }
    return parts;
}

function text(words, value, keep, attributes = {}) {
    const input = field(words, { maxlength: 200, value: value ?? "", ...attributes });
    input.addEventListener("input", (event) => keep(event.target.value));
    return input;
}

/** The last look: nothing of it is shown but how much there is; closing it is one tap. */
export async function envelope() {
    const { draft } = app;
    const said = h("div");
    const back = () => {
        draft.at = QUESTIONS.length - 1;
        return question();
    };
    const close = async (event) => {
        event.currentTarget.disabled = true;
        try {
            await seal(draft);
        } catch (error) {
            complain(said, t("seal.failed", { code: error.code ?? error.message ?? "" }));
            event.target.disabled = false;
        }
    };
    show(
        { title: t("seal.title"), back, lock, bar: t(draft.practice ? "q.practice" : "q.kept") },
        h("p", {}, t("seal.holds", { files: draft.files.length })),
        note("lock", t("seal.why")),
        h("p", {}, t(`c.${draft.consent.level ?? "C0"}`)),
        said,
        button(t("seal.do"), close, { icon: "lock", style: "go" }),
        button(t("seal.drop"), () => go("drop", draft), { icon: "trash" }),
    );
    app.at = ["envelope"];
}

/** Ask once more before a draft is thrown away. */
export async function drop(draft) {
    show(
        { title: t("drop.title"), back: () => go("resume", draft), lock },
        h("p", {}, t("drop.hint")),
        button(t("drop.do"), async () => {
            await dropDraft(app.box, draft);
            await go("home");
        }, { icon: "trash", style: "bad" }),
        button(t("drop.keep"), () => go("resume", draft)),
    ); // prettier-ignore
}

async function seal(draft) {
    const { box } = app;
    const now = app.now();
    const vocabulary = await loaded("vocabulary");
    const receipt = newReceipt(choose);
    const card = { picture: await freePicture(box), receipt };
    if (!draft.practice) {
        const content = buildComplaint({ ...draft, places: (await loaded("places")).list }, now, receipt, vocabulary);
        const finished = { op: "complaint", id: draft.id, content, card, scope: await scopeOf(content) };
        const hashes = draft.files.map((file) => file.sha256);
        await outbox.finalise(box, [finished], {
            more: ["drafts", "takes"],
            also: async (stores) => {
                await files.send(stores, draft.id, hashes);
                await forgetDraft(stores, draft.id);
            },
        });
    } else await dropDraft(box, draft);
    app.draft = null;
    await go("closed", card, draft.practice);
}

/** A picture name that no complaint of this phone has. */
async function freePicture(box) {
    const taken = new Set((await outbox.records(box)).map((record) => record.card?.picture));
    const numbers = Array.from({ length: 90 }, (_, at) => at + 10);
    const free = Object.keys(pictures()).flatMap((drawn) => numbers.map((n) => `${drawn} ${n}`)).filter((name) => !taken.has(name));
    return choose(free);
}

async function scopeOf(content) {
    const places = await loaded("places");
    const facts = content.facts.clear;
    const id = facts.place?.id;
    return { region: id ? (places.cercles[id]?.in ?? id) : null, isStrict: isStrict(facts, await loaded("vocabulary")) };
}

/** F5: what to remember and to say; after this the phone can't open it again. */
export async function closed(card, practice) {
    const [drawn] = card.picture.split(" ");
    const words = t("seal.done", { name: nameOf(card) });
    show(
        { title: t("seal.closed"), lock, bar: practice ? t("q.practice") : null },
        h("div", { class: "card" },
            icon(drawn, "big"),
            h("p", { class: "name" }, nameOf(card)),
            h("p", { class: "code", "data-receipt": "" }, card.receipt)),
        hearButton(`${words} ${t("seal.promise")}`),
        h("p", {}, t("seal.paper")),
        note("shield", t("seal.promise")),
        button(t("home.new"), () => go("begin"), { icon: "mic" }),
        button(t("page.home"), () => go("home"), { icon: "home", style: "go" }),
    ); // prettier-ignore
    app.at = ["closed"];
    say(words);
}

/** Drafts that are open, for whoever asks. */
export const drafts = () => openDrafts(app.box);
