/** What the hub said to this phone: replies and tasks, sealed for the vault, and when they have to leave. */

import { canonical, parse } from "./protocol/canonical.js";
import { fromText, sha256, toHex } from "./protocol/bytes.js";
import { openEnvelope } from "./protocol/seal.js";
import { writing } from "./store.js";
import { hideForVault, showFromVault } from "./vault.js";

const DAY_MS = 86_400_000;
const OF_TASKS = new Set(["task", "task_gone"]);
const UNSEALED = new Set(["state", "file", "task_gone"]);
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** A change as it is kept: with `sealed` and `digest`, `status` where it says one, nothing sealed without a vault. */
export async function prepared(box, vault, change) {
    if (UNSEALED.has(change.kind)) return change;
    const kept = change.kind === "task" ? openedTask(change, await boxKeyOf(box)) : change;
    const sealed = kept && vault?.reading ? await hideForVault(vault, canonical(await kept)) : null;
    const status = change.kind === "step" ? (change.code ?? change.t) : change.status;
    const digest = toHex(sha256(canonical(change)));
    return { ...change, sealed, digest, status: typeof status === "string" ? status.slice(0, 100) : null };
}

const boxKeyOf = async (box) => box.device.boxPrivate;

/** The change with its box open; null for a box that this phone can't open: it is for another of its lineage. */
async function openedTask(change, boxPrivate) {
    try {
        return { ...change, box: parse(await openEnvelope(fromText(change.box), boxPrivate)) };
    } catch {
        return null;
    }
}

/** Keep a change that a person has to read, once, however often it comes. */
export async function keepReply({ replies, records }, change, row) {
    if (!OF_TASKS.has(change.kind) && change.sealed && !(await replies.getKey(change.digest))) {
        const record = row?.id ?? String(change.id ?? "");
        await replies.put({ digest: change.digest, record, n: change.n, body: change.sealed, isSeen: false });
    }
    if (row) await records.put({ ...row, change: change.n, isSeen: false });
}

/** What the hub said about a record, oldest first. */
export async function repliesTo(box, id) {
    const rows = (await box.db.getAllFromIndex("replies", "record", id)).sort((a, b) => a.n - b.n);
    return Promise.all(rows.map(async (row) => parse(await showFromVault(box.keys, row.body))));
}

/** Numbers of the changes about a record that nobody saw here. */
export const unseen = async (db, id) =>
    (await db.getAllFromIndex("replies", "record", id))
        .filter((row) => !row.isSeen)
        .map((row) => row.n)
        .sort((a, b) => a - b);

/** Note that all that is here about a record was seen. */
export async function see({ replies }, id) {
    for (const row of await replies.index("record").getAll(id)) await replies.put({ ...row, isSeen: true });
}

// Tasks. Of one that is gone its number stays, with an empty body: the same change brings nothing back.

/** Take what the hub says of a task: a new one, or that there is none any more. */
export async function applyTask(stores, change) {
    const id = change.task;
    if (typeof id !== "string") return;
    const known = await stores.tasks.get(id);
    if (known && change.n <= known.n) return;
    if (change.kind === "task_gone") await letGo(stores, id, change.n);
    else if (change.sealed && DAY.test(change.to)) {
        await stores.tasks.put({ id, n: change.n, closesOn: change.to, body: change.sealed });
    }
}

/** Let go of a task that is done: its result is sealed. */
export async function leaveTask(stores, id) {
    const known = await stores.tasks.get(id);
    if (known) await letGo(stores, id, known.n);
}

/** Let go of the tasks whose last day is before `today`. */
export async function endTasks(stores, today) {
    for (const { id, n, body, closesOn } of await stores.tasks.getAll()) {
        if (body && closesOn < today) await letGo(stores, id, n);
    }
}

async function letGo({ tasks, looks }, id, n) {
    for (const key of await looks.index("task").getAllKeys(id)) await looks.delete(key);
    await tasks.put({ id, n, closesOn: "", body: null });
}

/** The tasks there are to do, by place and by their last day. */
export async function tasks(box) {
    const rows = (await box.db.getAll("tasks")).filter((row) => row.body);
    const open = await Promise.all(
        rows.map(async (row) => ({ ...parse(await showFromVault(box.keys, row.body)), id: row.id })),
    );
    return open.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

const key = (task) => `${task.place ?? ""} ${task.to} ${task.id}`;

/** Note that somebody opens the details of a task, and why: that goes along with the report. */
export async function noteLook(box, id, at, why) {
    const vault = await box.db.get("single", "vault");
    const body = await hideForVault(vault, canonical({ at, why }));
    await writing(box.db, ["looks"], ({ looks }) => looks.add({ task: id, body }));
}

/** When the details of a task were opened, and why, in order. */
export async function looksAt(box, id) {
    const rows = await box.db.getAllFromIndex("looks", "task", id);
    return Promise.all(rows.map(async ({ body }) => parse(await showFromVault(box.keys, body))));
}

/**
 * Forget what was received when the phone has been without contact for `days`, and tasks whose window is over, by the
 * phone's clock as far as the hub corrected it, and never before the last contact. Clock set ahead: the centre says it
 * again at the next contact.
 */
export async function expire(db, link, days, now) {
    if (link.contactAt === null) return;
    const contact = Date.parse(link.contactAt);
    const at = Math.max(now.getTime() - (link.clockAheadS ?? 0) * 1000, contact);
    if (days !== null && at - contact > days * DAY_MS) await forget(db);
    else await writing(db, ["tasks", "looks"], (stores) => endTasks(stores, new Date(at).toISOString().slice(0, 10)));
}

/** Forget what the hub said; the next contact brings it again. Nothing unsent is touched. */
export const forget = (db) =>
    writing(db, ["single", "records", "replies", "tasks", "looks"], async (stores) => {
        await stores.replies.clear();
        await stores.looks.clear();
        for (const { id, body } of await stores.tasks.getAll()) if (body) await stores.tasks.delete(id);
        for (const row of await stores.records.getAll()) {
            if (row.status || row.change) {
                await stores.records.put({ ...row, status: null, change: null, isSeen: false });
            }
        }
        const link = await stores.single.get("link");
        if (link) await stores.single.put({ ...link, cursor: null, lastChange: 0 }, "link");
    });
