/** F2: three counts, the sending, and what there is to do. */

import { app, cost, go, lock, send } from "../app.js";
import { openDrafts } from "../drafts.js";
import * as outbox from "../outbox.js";
import { button, drawing, h, icon, row, show } from "../page.js";
import { tasks } from "../received.js";
import { below } from "./below.js";
import { pictures, said, t, tn } from "../words.js";

const TRACK = [
    ["path", { d: "M54 13H266", stroke: "var(--line2)", "stroke-width": 3, "stroke-dasharray": "3 5" }],
    ["circle", { cx: 54, cy: 13, r: 8, fill: "none", stroke: "var(--soon)", "stroke-width": 4 }],
    ["circle", { cx: 160, cy: 13, r: 9, fill: "var(--done)" }],
    ["circle", { cx: 266, cy: 13, r: 9, fill: "var(--ink)" }],
];
const LOW_BYTES = 20 * 2 ** 20;
// A minute of voice at 24 kbit/s.
const VOICE_MINUTE_BYTES = 180_000;

/** The first screen of an open notebook. */
export async function home() {
    const meter = h("section", { class: "meter", "aria-label": t("home.meter") });
    const lists = h("div", { class: "lists" });
    // It stays where it is, so that what changes in it is read out, and nothing else.
    const line = h("p", { class: "line", role: "status" });
    await fillMeter(meter, line);
    lists.append(...(await listed()));
    show(
        { title: t("home.title"), lock, below: below("home") },
        meter,
        button(t("home.new"), () => go("begin"), { icon: "mic", style: "go" }),
        lists,
    );
    app.hears = oneAtATime(async () => {
        if (!app.box) return;
        await fillMeter(meter, line);
        lists.replaceChildren(...(await listed()));
    });
}

/** What is asked for while it is under way is done once more after it: an older look never comes after a newer one. */
function oneAtATime(work) {
    let running = null;
    let isWanted = false;
    return () => {
        isWanted = true;
        running ??= (async () => {
            while (isWanted) {
                isWanted = false;
                await work();
            }
            running = null;
        })();
        return running;
    };
}

async function fillMeter(meter, line) {
    const { box } = app;
    const [counts, costs, link] = await Promise.all([outbox.counts(box.db), cost(box), outbox.linkOf(box.db)]);
    const count = (name, n) => h("div", { class: name }, h("b", { "data-count": name }, String(n)), h("span", {}, t(`home.${name}`)));
    const three = h("div", { class: "three" }, count("here", counts.here), count("there", counts.there), count("answered", counts.answered));
    const words = state(link);
    if (line.textContent !== words) line.replaceChildren(icon(navigator.onLine ? "sync" : "off"), h("span", {}, words));
    meter.replaceChildren(three, drawing("0 0 320 26", "track", TRACK), line, ...(await way(costs)), ...(await room()));
}

/** Where the sending stands, in words. */
function state(link) {
    const words = [];
    if (app.stage) words.push(t(`send.${app.stage.stage}`));
    else if (!navigator.onLine) words.push(t("home.offline"));
    else if (app.said) words.push(outcome(app.said));
    if (link.contactAt) {
        const when = said(new Date(link.contactAt), { weekday: "long", hour: "2-digit", minute: "2-digit" });
        words.push(t("home.last", { when }));
    }
    return words.join(" ");
}

function outcome(report) {
    if (report.code && report.code !== "not_an_answer") {
        return t(report.code in REFUSALS ? REFUSALS[report.code] : "send.refused_code", { code: report.code });
    }
    if (report.isCut) return t("send.cut");
    return report.arrived ? tn("send.done", report.arrived) : t("send.nothing");
}

const REFUSALS = {
    device_revoked: "send.refused",
    device_unknown: "send.refused",
    device_unconfirmed: "send.unconfirmed",
    locked: "send.locked",
};

/** The button that sends, with what it will cost; while it is sending, how far it is. */
async function way({ counted, files, bytes, minutes }) {
    if (app.stage) {
        const all = Math.max(app.total ?? 0, bytes);
        app.total = all;
        return [h("progress", { max: all || 1, value: all - bytes, "aria-label": t("send.progress") })];
    }
    app.total = 0;
    if (!counted && !files) return [button(t("home.ask"), () => send(), { icon: "sync" })];
    const small = t("home.cost", { n: minutes, k: Math.ceil(bytes / 1000) });
    return [button(t("home.try"), () => send(), { icon: "sync", small })];
}

/** What room is left, once it gets short. */
async function room() {
    const { quota = 0, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    const free = quota - usage;
    if (!quota || free > LOW_BYTES) return [];
    return [h("p", { class: "note soon" }, icon("warn"), h("span", {}, t("home.low", { n: Math.floor(free / VOICE_MINUTE_BYTES) })))];
}

async function listed() {
    const { box } = app;
    const found = [];
    for (const draft of await openDrafts(box)) {
        const when = said(new Date(draft.begunAt), { weekday: "long", hour: "2-digit", minute: "2-digit" });
        found.push(row("pen", t("home.draft"), t("home.draft_begun", { when }), () => go("resume", draft)));
    }
    const due = await tasks(box);
    if (due.length) {
        const [first, last] = [due.map((task) => task.from).sort()[0], due.map((task) => task.to).sort().at(-1)];
        const between = t("home.between", { a: shortDay(first), b: shortDay(last) });
        found.push(row("pin", t("home.visits"), between, () => go("visits"), due.length));
    }
    const fresh = (await outbox.records(box)).filter((record) => record.change !== null && !record.isSeen && record.card);
    // What tells of answers is read where there is one.
    const { replyWords } = fresh.length ? await import("./listing.js") : {};
    for (const record of fresh) {
        found.push(row(record.card.picture.split(" ")[0], t("home.reply", { name: nameOf(record.card) }), await replyWords(record), () => go("reply", record.id)));
    }
    return found;
}

/** A day as people say it, without its year. */
export const shortDay = (day) => said(new Date(`${day}T12:00:00`), { day: "numeric", month: "short" });

/** A picture name in the language of this phone: "calebasse 47" is Calebasse 47. */
export function nameOf({ picture }) {
    const [drawn, number] = picture.split(" ");
    return `${pictures()[drawn] ?? drawn} ${number}`;
}
