/**
 * The outbox: finished operations until the hub has them for good, and how far phone and hub have come. The twin of
 * client_sync/outbox.py; what was finalised can't be read back through it.
 */

import { canonical, parse } from "./protocol/canonical.js";
import { toHex } from "./protocol/bytes.js";
import { frameDigest, headerLine, recordLine } from "./protocol/frames.js";
import { linkageOf, sealContent } from "./protocol/sealing.js";
import * as files from "./files.js";
import * as received from "./received.js";
import { writing } from "./store.js";
import { hide, show } from "./vault.js";

const FRAME_RECORDS_MAX = 2000;
// Far more frames than an old copy of a phone can be behind; a hub that jumps wildly must not use up the numbers.
const FRAMES_SKIPPED_MAX = 2 ** 20;
const BODY_FIRST_BYTES = 64 * 1024;
const UNCOUNTED = new Set(["linkage", "anchor_seen"]);
const AT_THE_CENTRE = new Set(["stored", "already_held"]);
const HELD_THERE = new Set(["at_centre", "kept_aside"]);

const FIRST_LINK = {
    nextSeq: 1, nextFrame: 1, nextParcel: 1, epoch: null, cursor: null, lastChange: 0, backedUpTo: null,
    bodyBytes: BODY_FIRST_BYTES, ratio: 0.5, clockAheadS: null, lastOrder: 0, isRevoked: false, isWiped: false,
    anchor: null, contactAt: null, bytesPerS: null,
}; // prettier-ignore

/** How far phone and hub have come. */
export const linkOf = async (db) => ({ ...FIRST_LINK, ...(await db.get("single", "link")) });

/** Set members of the link. */
export const noteLink = (db, members) => writing(db, ["single"], ({ single }) => noteIn(single, members));

async function noteIn(single, members) {
    const link = { ...FIRST_LINK, ...(await single.get("link")), ...members };
    await single.put(link, "link");
    return link;
}

const STORES = ["single", "records", "lines", "cards", "frames", "files", "blobs", "tasks", "looks", "replies"];

/**
 * Keep finished operations for the hub, sealed; each is `{op, id, content, card?, scope?}`, `card` what the phone shows
 * of it (`{picture, receipt}`). From then on nothing here opens what was sealed. An id that is here already is left as
 * it is. `also(stores)` runs in the same transaction, over `more` stores.
 */
export async function finalise(box, finished, { more = [], also = () => {} } = {}) {
    const sealed = [];
    for (const each of finished) sealed.push(...sealedRows(box, each));
    await writing(box.db, [...STORES, ...more], async (stores) => {
        const { nextSeq } = { ...FIRST_LINK, ...(await stores.single.get("link")) };
        let seq = nextSeq;
        const held = new Set();
        for (const { op, id, content, card, about } of sealed) {
            // A linkage goes with what it is about, or not at all.
            const of = op === "linkage" ? about : id;
            if (op !== "linkage" && (await stores.records.index("id").count(id))) held.add(id);
            if (held.has(of)) continue;
            const line = recordLine({ op, id, seq, content });
            await stores.records.put(newRow(seq, op, id, about));
            await stores.lines.put(hide(box.keys.sending, line), seq);
            if (card) await stores.cards.put(hide(box.keys.reading, canonical(card)), id);
            seq += 1;
        }
        await noteIn(stores.single, { nextSeq: seq });
        await also(stores);
    });
}

function sealedRows(box, { op, id, content, card, scope }) {
    const about = content.complaint ?? null;
    if (!SEALED.has(op)) return [{ op, id, content, card, about }];
    const sealed = sealContent(id, content, scope, box.sealer);
    const rows = [{ op, id, content: sealed, card, about }];
    const linked = linkageOf(op, id, content, box.sealer, box.linkageKeys);
    if (linked) rows.push({ op: "linkage", id: crypto.randomUUID(), content: linked, about: about ?? id });
    return rows;
}

const SEALED = new Set(["complaint", "revision", "answer", "task_done"]);

const newRow = (seq, op, id, about) => ({
    seq, op, id, about, state: "here", code: null, field: null, status: null, change: null, isSeen: false,
    waiting: true, frame: null, position: null,
}); // prettier-ignore

/** Every record a person would count, in the order in which they were finalised, with its card while it opens. */
export async function records(box) {
    const rows = (await box.db.getAll("records")).filter((row) => !UNCOUNTED.has(row.op));
    for (const row of rows) {
        const hidden = box.keys.reading && (await box.db.get("cards", row.id));
        row.card = hidden ? parse(show(box.keys.reading, hidden)) : null;
    }
    return rows;
}

/** The three counts: complaints that are on this phone alone, at the centre, and of these the answered. */
export async function counts(db) {
    const written = (await db.getAll("records")).filter((row) => row.op === "complaint");
    const there = written.filter((row) => HELD_THERE.has(row.state));
    return {
        here: written.length - there.length,
        there: there.length,
        answered: written.filter((row) => row.change !== null).length,
    };
}

/** How many operations the hub does not have, as far as is known, and about how many bytes they are. */
export async function waiting(db) {
    const rows = (await db.getAll("records")).filter((row) => row.waiting);
    const counted = rows.filter((row) => !UNCOUNTED.has(row.op));
    return { all: rows.length, counted: counted.length, rows };
}

/** Whether anything written here may be nowhere else: not sent, rejected, or in no backup of the hub yet. */
export async function holdsLastCopies(db) {
    return (await db.count("lines")) > 0 || (await files.holdsLastCopies(db));
}

/** Note that a person saw what the centre said of a record, and tell the centre. */
export async function markSeen(box, id) {
    const row = await box.db.getFromIndex("records", "id", id);
    if (!row || row.isSeen || row.change === null) return;
    const fresh = await received.unseen(box.db, id);
    const changes = fresh.length ? fresh : [row.change];
    const seen = { op: "seen", id: crypto.randomUUID(), content: { changes } };
    await finalise(box, [seen], {
        also: async (stores) => {
            await stores.records.put({ ...row, isSeen: true });
            await received.see(stores, id);
        },
    });
}

// Steps of one body.

/** Number and line of the next operations that are in no frame, up to `mostBytes`: one at least, if there is any. */
export async function nextLines(box, afterSeq, mostBytes) {
    const lines = [];
    let size = 0;
    for (const row of await box.db.getAll("records", IDBKeyRange.lowerBound(afterSeq, true))) {
        if (!row.waiting || row.frame !== null) continue;
        const line = show(box.keys.sending, await box.db.get("lines", row.seq));
        size += line.length;
        if (lines.length && (size > mostBytes || lines.length === FRAME_RECORDS_MAX)) break;
        lines.push({ seq: row.seq, line });
    }
    return lines;
}

/** The frames that may have left, in the order of their numbers. */
export const inFlight = (db) => db.getAll("frames");

/**
 * Take the next frame number for `header` and keep the frame so that exactly its bytes can be sent again. A number is
 * never given twice.
 */
export async function putInFlight(db, header, lines, weight) {
    await writing(db, ["single", "frames", "records"], async ({ single, frames, records }) => {
        const { nextFrame } = { ...FIRST_LINK, ...(await single.get("link")) };
        await noteIn(single, { nextFrame: Math.max(nextFrame, header.frame + 1) });
        if (!lines.length) return;
        const digest = toHex(frameDigest(headerLine(header), lines.map(({ line }) => line)));
        await frames.put({ number: header.frame, header, digest, weight, isUnsure: true });
        for (const { seq } of lines) await records.put({ ...(await records.get(seq)), frame: header.frame });
    });
}

/** The lines of a frame in flight, in their order. */
export async function linesOf(box, number) {
    const rows = (await box.db.getAll("records")).filter((row) => row.frame === number);
    const lines = [];
    for (const { seq } of rows) lines.push({ seq, line: show(box.keys.sending, await box.db.get("lines", seq)) });
    return lines;
}

/** Note that these frames leave now: nobody knows whether they arrive. */
export const noteLeaving = (db, numbers) =>
    writing(db, ["frames"], async ({ frames }) => {
        for (const number of numbers) {
            const frame = await frames.get(number);
            if (frame) await frames.put({ ...frame, isUnsure: true });
        }
    });

/**
 * Apply one answer, whole or not at all. `sent` are the frames that it answers. Never takes a record back from the
 * centre, whatever it says; applying an answer again changes nothing. Gives what changed.
 */
export async function apply(box, answer, now, sent = []) {
    const vault = await box.db.get("single", "vault");
    // What is sealed needs no waiting inside the transaction.
    const changes = await Promise.all(answer.changes.map((change) => received.prepared(box, vault, change)));
    const applied = await writing(box.db, STORES, async (stores) => {
        await beginEpoch(stores, answer.epoch);
        const before = await stores.frames.count();
        const cameTo = {};
        for (const report of answer.reports) await applyReport(stores, report, answer.position, cameTo);
        const frames = before - (await stores.frames.count());
        for (const number of sent) await settle(stores.frames, number);
        await settlePositions(stores.records, stores.lines, answer.position);
        const told = await applyChanges(stores, answer, changes);
        await prune(stores, answer.backedUpTo);
        await noteAnswer(stores, answer, now);
        return { frames, ...told, cameTo };
    });
    await files.sweep(box.db);
    applied.unread = answer.reports.map((report) => report.unread).filter(Boolean);
    return applied;
}

/** In a new epoch the hub may lack what it had: offer all that is still held, trust no old position. */
async function beginEpoch({ single, records, lines, files: fileStore }, epoch) {
    const link = { ...FIRST_LINK, ...(await single.get("link")) };
    if (link.epoch === epoch) return;
    if (link.epoch !== null) {
        const held = new Set(await lines.getAllKeys());
        for (const row of await records.getAll()) {
            if (held.has(row.seq) && HELD_THERE.has(row.state)) {
                await records.put({ ...row, waiting: true, position: null });
            }
        }
        await files.beginEpoch(fileStore);
    }
    await noteIn(single, { epoch, cursor: null, lastChange: 0, backedUpTo: null });
}

async function applyReport({ records, frames }, report, position, cameTo) {
    if (report.unread !== null) return settle(frames, report.frame);
    const rows = (await records.getAll()).filter((row) => row.frame === report.frame);
    // Of a frame that was answered before.
    if (rows.length !== report.n) return undefined;
    for (const [at, row] of rows.entries()) {
        const outcome = concluded(row.state, report.verdict(at));
        if (outcome.state !== row.state && !UNCOUNTED.has(row.op)) {
            cameTo[outcome.state] = (cameTo[outcome.state] ?? 0) + 1;
        }
        await records.put({ ...row, ...outcome, waiting: false, frame: null, position });
    }
    return frames.delete(report.frame);
}

async function settle(frames, number) {
    const frame = await frames.get(number);
    if (frame) await frames.put({ ...frame, isUnsure: false });
}

/** State, code and field after a verdict: what is at the centre stays there. */
function concluded(state, { verdict, code, field }) {
    if (AT_THE_CENTRE.has(verdict) || state === "at_centre") return { state: "at_centre", code: null, field: null };
    return { state: verdict === "rejected" ? "rejected" : "kept_aside", code, field };
}

/** A report that was asked for comes without a position: any later one covers it as well. */
async function settlePositions(records, lines, position) {
    if (position === null) return;
    const held = new Set(await lines.getAllKeys());
    for (const row of await records.getAll()) {
        if (row.position === null && !row.waiting && held.has(row.seq)) await records.put({ ...row, position });
    }
}

/** How many changes were new: those that a person may count, and those of files. */
async function applyChanges(stores, answer, changes) {
    const link = await stores.single.get("link");
    let last = answer.isReset ? 0 : link.lastChange;
    const before = link.lastChange;
    let [count, ofFiles] = [0, 0];
    for (const change of changes) {
        if (!Number.isInteger(change.n) || change.n <= last) continue;
        await applyChange(stores, change);
        last = change.n;
        if (change.kind === "file") ofFiles += 1;
        else count += 1;
    }
    // An answer that took long, or was carried, must not lead back to changes read since.
    if (answer.cursor !== null && (answer.isReset || last > before)) {
        await noteIn(stores.single, { cursor: answer.cursor, lastChange: last });
    }
    return { changes: count, files: ofFiles };
}

async function applyChange(stores, change) {
    if (change.kind === "task" || change.kind === "task_gone") return received.applyTask(stores, change);
    if (change.kind === "file") return files.applyChange(stores, change);
    const row = await named(stores.records, change.id);
    if (change.kind !== "state") await received.keepReply(stores, change, row);
    else if (row && change.state === "stored") {
        await stores.records.put({ ...row, state: "at_centre", code: null, field: null });
    }
    if (row && change.status) {
        await stores.records.put({ ...(await stores.records.get(row.seq)), status: change.status });
    }
    return undefined;
}

/** The record that the hub means: a prefix is unique among those it knows of this lineage. */
async function named(records, prefix) {
    if (typeof prefix !== "string" || !prefix) return null;
    const found = await records.index("id").getAll(IDBKeyRange.bound(prefix, `${prefix}g`, false, true));
    const known = found.filter((row) => !row.waiting);
    const meant = known.length ? known : found;
    return meant.length === 1 ? meant[0] : null;
}

/** Drop lines that a verified backup holds; the record stays, without its words. */
async function prune(stores, backedUpTo) {
    if (backedUpTo === null) return;
    for (const row of await stores.records.getAll()) {
        const isCovered = !row.waiting && row.position !== null && row.position <= backedUpTo;
        if (isCovered && HELD_THERE.has(row.state)) await stores.lines.delete(row.seq);
    }
    await noteIn(stores.single, { backedUpTo });
    await files.prune(stores, backedUpTo);
}

async function noteAnswer(stores, answer, now) {
    const link = await stores.single.get("link");
    const free = Math.min(answer.rolledBack ?? 0, link.nextFrame + FRAMES_SKIPPED_MAX);
    const at = answer.now.toISOString();
    await noteIn(stores.single, {
        clockAheadS: Math.round((now - answer.now) / 1000),
        nextFrame: Math.max(link.nextFrame, free),
        contactAt: link.contactAt === null || link.contactAt < at ? at : link.contactAt,
    });
    await received.endTasks(stores, at.slice(0, 10));
}
