/** Sealed files until the hub has them for good. Those of drafts have no complaint yet. */

import { writing } from "./store.js";

const TURNS = ["audio", "photo", "document", "video"];
const UNSAVED_MS = 86_400_000;

/** Keep a sealed file for a draft; `file` is `{sealed, sha256, size, kind, role}`. */
export const keep = (db, { sealed, sha256, size, kind, role }, now) =>
    writing(db, ["files", "blobs"], async ({ files, blobs }) => {
        const row = { sha256, size, kind, role, complaint: null, state: "draft", code: null, arrived: 0, packed: 0 };
        await files.put({ ...row, heardSeq: null, isKept: true, takenInAt: now.toISOString() });
        await blobs.put(sealed, sha256);
    });

/** Let go of a file of a draft: it is not to be sent after all. */
export const drop = (db, sha256) =>
    writing(db, ["files", "blobs"], async ({ files, blobs }) => {
        if ((await files.get(sha256))?.state !== "draft") return;
        await files.delete(sha256);
        await blobs.delete(sha256);
    });

/** Let go of files that are in no draft; `saved` are the hashes of those that are. */
export async function dropUnsaved(db, saved, now) {
    const lost = (await db.getAll("files")).filter(
        (row) => row.state === "draft" && !saved.has(row.sha256) && now - Date.parse(row.takenInAt) > UNSAVED_MS,
    );
    for (const { sha256 } of lost) await drop(db, sha256);
}

/** From now on these files of a complaint are to be sent; inside the caller's transaction. */
export async function send({ files }, complaint, hashes) {
    for (const sha256 of hashes) {
        const row = await files.get(sha256);
        if (!row) throw new Error("file_gone");
        if (row.complaint === null) await files.put({ ...row, complaint, state: "waiting" });
    }
}

/** Note what the hub says of a file. */
export async function applyChange({ files, single }, { sha256, state, code }) {
    const row = await files.get(String(sha256));
    if (!row || row.complaint === null) return;
    if (state === "refused") await files.put({ ...row, state, code: String(code ?? "file_refused").slice(0, 100) });
    else if (state === "here" && row.state !== "here") {
        const { nextSeq } = await single.get("link");
        await files.put({ ...row, state, code: null, arrived: row.size, packed: row.size, heardSeq: nextSeq });
    }
}

/** The hub was restored and may lack what it had: it says again what it has. */
export async function beginEpoch(files) {
    for (const row of await files.getAll()) {
        if (row.state === "here" && row.isKept) {
            await files.put({ ...row, state: "waiting", arrived: 0, packed: 0, heardSeq: null });
        }
    }
}

/**
 * Let go of files that a verified backup holds: it has to cover something that was sent after the hub had said that the
 * file is there.
 */
export async function prune({ files, records, lines }, backedUpTo) {
    const rows = await records.getAll();
    const held = new Set(await lines.getAllKeys());
    const isCovered = (row) => !row.waiting && row.position !== null && row.position <= backedUpTo;
    for (const file of await files.getAll()) {
        const hasLine = rows.some((row) => row.id === file.complaint && held.has(row.seq));
        const isSafe = rows.some((row) => row.seq >= file.heardSeq && isCovered(row));
        if (file.isKept && file.state === "here" && !hasLine && isSafe) await files.put({ ...file, isKept: false });
    }
}

/** Delete the bytes of which no row speaks any more. */
export async function sweep(db) {
    const kept = new Set((await db.getAll("files")).filter((row) => row.isKept).map((row) => row.sha256));
    const lost = (await db.getAllKeys("blobs")).filter((sha256) => !kept.has(sha256));
    if (!lost.length) return;
    await writing(db, ["blobs"], async ({ blobs }) => {
        for (const sha256 of lost) await blobs.delete(sha256);
    });
}

/** How many files of closed complaints the hub does not have, and how many bytes of them. */
export async function pending(db) {
    const rows = (await db.getAll("files")).filter((row) => row.state === "waiting" && row.isKept);
    return { count: rows.length, bytes: rows.reduce((sum, row) => sum + row.size - row.arrived, 0) };
}

/** The files of a complaint, in the order in which they go. */
export const filesOf = async (db, complaint) =>
    (await db.getAll("files")).filter((row) => row.complaint === complaint).sort(inTurn);

/** Whether a file of a closed complaint may be nowhere else. */
export const holdsLastCopies = async (db) =>
    (await db.getAll("files")).some((row) => row.complaint !== null && row.isKept);

/** Note how much of each file the hub has; gives those that are here, in the order in which they go, with bytes. */
export async function noteNeeded(db, needed) {
    const found = await writing(db, ["files"], async ({ files }) => {
        const wanted = [];
        for (const { sha256, offset } of needed) {
            const row = await files.get(sha256);
            const canGo = row && row.complaint !== null && row.isKept && row.code !== "file_damaged";
            if (!canGo || offset > row.size) continue;
            await files.put({ ...row, state: "waiting", code: null, arrived: offset, heardSeq: null });
            wanted.push({ ...row, arrived: offset, offset });
        }
        return wanted;
    });
    return found.sort(inTurn);
}

/** The sealed bytes of a file; undefined when they are gone. */
export const bytesOf = (db, sha256) => db.get("blobs", sha256);

/** The hub has so many bytes of a file; whether it has them all. */
export const noteArrived = (db, sha256, offset) => change(db, sha256, { arrived: offset });

/** The file can't go, or the hub never takes it. */
export const noteRefused = (db, sha256, code) => change(db, sha256, { state: "refused", code });

/** These bytes of a file are in a parcel that was written. */
export const notePacked = (db, sha256, packed) => change(db, sha256, { packed });

const change = (db, sha256, members) =>
    writing(db, ["files"], async ({ files }) => {
        const row = await files.get(sha256);
        await files.put({ ...row, ...members });
        return row.size === members.arrived;
    });

const inTurn = (a, b) => turn(a.kind) - turn(b.kind) || a.size - a.arrived - (b.size - b.arrived);

const turn = (kind) => (TURNS.indexOf(kind) + TURNS.length + 1) % (TURNS.length + 1);
