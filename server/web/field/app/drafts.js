/** Drafts: any number, each sealed alone under the reading key and saved at each change. */

import { canonical, parse } from "./protocol/canonical.js";
import { concat, fromText, random } from "./protocol/bytes.js";
import { sealFile } from "./protocol/fileSeal.js";
import { NotTaken } from "./protocol/media.js";
import * as files from "./files.js";
import { noAnswers } from "./complaint.js";
import { writing } from "./store.js";
import { hide, show } from "./vault.js";

/** A draft that is not saved yet: `id` is that of the complaint it becomes. */
export const newDraft = (now) => ({ id: crypto.randomUUID(), begunAt: now.toISOString(), at: 0, ...noAnswers() });

/** Keep the draft in place of what was kept of it. Ends once it is on the disk. */
export const saveDraft = ({ db, keys }, draft) =>
    writing(db, ["drafts"], ({ drafts }) => drafts.put({ id: draft.id, body: hide(keys.reading, canonical(draft)) }));

/** All drafts, the oldest first. */
export async function openDrafts({ db, keys }) {
    const rows = await db.getAll("drafts");
    return rows.map((row) => parse(show(keys.reading, row.body))).sort((a, b) => (a.begunAt < b.begunAt ? -1 : 1));
}

/** Forget a draft and its files. */
export async function dropDraft({ db }, draft) {
    for (const { sha256 } of draft.files) await files.drop(db, sha256);
    await writing(db, ["drafts", "takes"], (stores) => forgetDraft(stores, draft.id));
}

/** Inside the caller's transaction over `drafts` and `takes`: what a draft was is finished. */
export async function forgetDraft({ drafts, takes }, id) {
    await drafts.delete(id);
    for (const key of await takes.index("draft").getAllKeys(id)) await takes.delete(key);
}

/** Take a file into a draft, sealed at once; gives what the draft keeps of it. Raises what `sealFile` raises. */
export async function attach(box, draft, bytes, role, now) {
    const sealed = await sealFile(bytes, { takenAt: null });
    const { sha256, size, kind, key } = sealed;
    refuseHeavy(box, draft, size);
    await files.keep(box.db, { ...sealed, role }, now);
    draft.files.push({ sha256, size, kind, role, key });
    await saveDraft(box, draft);
    return sha256;
}

const MEGABYTE = 2 ** 20;
const USUAL_LIMITS = { file_bytes: 25 * MEGABYTE, complaint_bytes: 100 * MEGABYTE };

function refuseHeavy(box, draft, size) {
    const limits = box.device.keyring.limits ?? USUAL_LIMITS;
    const all = draft.files.reduce((sum, file) => sum + file.size, size);
    if (size > limits.file_bytes) throw new NotTaken("file_heavy");
    if (all > limits.complaint_bytes) throw new NotTaken("files_heavy");
}

/** Let go of one file of a draft. */
export async function detach(box, draft, sha256) {
    draft.files = draft.files.filter((file) => file.sha256 !== sha256);
    await saveDraft(box, draft);
    await files.drop(box.db, sha256);
}

// A recording is kept piece by piece, hidden, so that a call or a kill costs its last seconds and no more.

/** Keep the next piece of the recording of a draft. */
export const keepTake = ({ db, keys }, id, bytes) =>
    writing(db, ["takes"], ({ takes }) => takes.add({ draft: id, body: hide(keys.reading, bytes) }));

/** What is kept of the recording of a draft; empty when there is none. */
export async function takesOf({ db, keys }, id) {
    const rows = await db.getAllFromIndex("takes", "draft", id);
    return concat(...rows.map((row) => show(keys.reading, row.body)));
}

/** Forget the pieces. */
export const dropTakes = ({ db }, id) =>
    writing(db, ["takes"], async ({ takes }) => {
        for (const key of await takes.index("draft").getAllKeys(id)) await takes.delete(key);
    });

/** The bytes of a sealed file of a draft, to be heard or seen again before the envelope is closed. */
export const keyOf = (file) => fromText(file.key);

/** Numbers that nobody can guess: `choose(list)` draws one entry. */
export function choose(list) {
    // Without the bias of a remainder.
    const most = Math.floor(2 ** 32 / list.length) * list.length;
    for (;;) {
        const number = new DataView(random(4).buffer).getUint32(0);
        if (number < most) return list[number % list.length];
    }
}
