/** F3 and F6: complaints by their picture names, and what became of them. */

import { app, go, lock } from "../app.js";
import { document as loaded } from "../documents.js";
import * as files from "../files.js";
import * as outbox from "../outbox.js";
import { h, icon, row, show } from "../page.js";
import { sentences, statusWords } from "../protocol/steps.js";
import { repliesTo } from "../received.js";
import { hearButton } from "../speech.js";
import { labelsOf, spoken, t } from "../words.js";
import { below } from "./below.js";
import { nameOf, shortDay } from "./home.js";

/** Every complaint of this phone: picture name, receipt, where it is; no type, no place. */
export async function complaints() {
    const all = (await outbox.records(app.box)).filter((record) => record.op === "complaint" && record.card);
    const rows = [];
    for (const record of all.reverse()) {
        const pending = (await files.filesOf(app.box.db, record.id)).filter((file) => file.state === "waiting").length;
        const small = [record.card.receipt, await replyWords(record), pending ? t("list.files", { n: pending }) : null];
        const [drawn] = record.card.picture.split(" ");
        rows.push(row(drawn, nameOf(record.card), small.filter(Boolean).join(" · "), () => go("reply", record.id), record.change !== null && !record.isSeen ? 1 : null));
    }
    show({ title: t("nav.complaints"), lock, below: below("complaints") }, rows.length ? h("div", { class: "lists" }, rows) : h("p", {}, t("list.none")));
}

/** Where a complaint is, in a word. */
export const replyWords = async (record) => (record.status ? statusWords(record.status, await stepWords()) : t(`state.${record.state}`));

const stepWords = () => loaded(`steps.${spoken()}`);

/** F6: what was said of one complaint; opening it tells the centre that it was seen. */
export async function reply(id) {
    const record = (await outbox.records(app.box)).find((each) => each.id === id);
    const words = await stepWords();
    const said = (await repliesTo(app.box, id)).map((change) => told(change, words)).filter(Boolean);
    const [drawn] = record.card.picture.split(" ");
    const all = said.length ? said.map(({ words }) => words).join(" ") : t(`say.${record.state}`);
    show(
        { title: nameOf(record.card), back: () => go("complaints"), lock, below: below("complaints") },
        h("div", { class: "card" }, icon(drawn, "big"), h("p", { class: "code" }, record.card.receipt)),
        hearButton(all),
        h("ol", { class: "lists" }, said.map(({ on, words }) => h("li", { class: "row" }, h("div", {}, h("small", {}, on), h("p", { class: "say" }, words))))),
        said.length ? null : h("p", { class: "say" }, all),
    );
    await outbox.markSeen(app.box, id);
}

function told(change, steps) {
    if (change.kind !== "step") return typeof change.text === "string" ? { on: "", words: change.text } : null;
    return { on: shortDay(change.on), words: sentences(change, steps, labelsOf("body")).join(" ") };
}
