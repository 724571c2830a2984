/**
 * The vault: two keys behind one passphrase of words. The *reading* key opens drafts, picture names, replies and tasks;
 * the *sending* key opens what waits for the centre, which no screen shows. A wipe from afar takes the first and leaves
 * the second to whoever knows the passphrase, so that nothing unsent is lost.
 */

import { argon2idAsync, xchacha20poly1305 } from "./vendor/libraries.js";
import { concat, random, sha256, utf8 } from "./protocol/bytes.js";
import { boxPublic, openEnvelope, sealTo } from "./protocol/seal.js";
import { writing } from "./store.js";

export const LEAST_WORDS = 4;
export const MOST_FAILURES = 10;
const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const SALT_BYTES = 16;
const REPLIES = utf8("carnet-replies-1\n");
// As much memory as the field client of a laptop, and one pass for its three: two seconds on a weak phone.
const FIELD_HARDNESS = { passes: 1, memoryKib: 64 * 1024 };

/** The bytes as only this key shows them: nonce, then XChaCha20-Poly1305. */
export function hide(key, bytes) {
    const nonce = random(NONCE_BYTES);
    return concat(nonce, xchacha20poly1305(key, nonce).encrypt(bytes));
}

/** What `hide` hid; throws for another key, or damaged bytes. */
export const show = (key, hidden) =>
    xchacha20poly1305(key, hidden.subarray(0, NONCE_BYTES)).decrypt(hidden.subarray(NONCE_BYTES));

/** How many words a passphrase has. */
export const wordsOf = (passphrase) => passphrase.split(/\s+/).filter(Boolean).length;

/** Make the vault; gives its keys. `hardness` is what one guess costs. */
export async function createVault(db, passphrase, hardness = FIELD_HARDNESS) {
    const keys = { reading: random(KEY_BYTES), sending: random(KEY_BYTES) };
    const salt = random(SALT_BYTES);
    const wrapping = await stretch(passphrase, salt, hardness);
    const vault = {
        ...hardness,
        salt,
        reading: hide(wrapping, keys.reading),
        sending: hide(wrapping, keys.sending),
        forReplies: boxPublic(replyKey(keys)),
        failures: 0,
    };
    await writing(db, ["single"], ({ single }) => single.add(vault, "vault"));
    return keys;
}

/**
 * The keys of the vault; `reading` is null on a phone that was wiped from afar. Null for a wrong passphrase, which is
 * counted first: who kills the page in between gains no try.
 */
export async function openVault(db, passphrase) {
    const vault = await db.get("single", "vault");
    await note(db, { failures: vault.failures + 1 });
    const wrapping = await stretch(passphrase, vault.salt, vault);
    let keys;
    try {
        keys = { reading: vault.reading && show(wrapping, vault.reading), sending: show(wrapping, vault.sending) };
    } catch {
        return null;
    }
    await note(db, { failures: 0 });
    return keys;
}

/** Whether there is a vault, and how often in a row it was tried in vain. */
export async function lookAtVault(db) {
    const vault = await db.get("single", "vault");
    return { exists: vault !== undefined, failures: vault?.failures ?? 0 };
}

/** Overwrite keys in memory: nothing opens any more with this object. */
export function forgetKeys(keys) {
    keys.reading?.fill(0);
    keys.sending?.fill(0);
    keys.reading = keys.sending = null;
}

/** The bytes as only the open vault shows them; works while the reading key is away. */
export const hideForVault = (vault, bytes) => sealTo(vault.forReplies, bytes);

/** What `hideForVault` hid. */
export const showFromVault = (keys, hidden) => openEnvelope(hidden, replyKey(keys));

/** Whether a text has the passphrase in it, whatever stands between its words. */
export const givesAway = (text, passphrase) => lettersOf(text).includes(lettersOf(passphrase));

const lettersOf = (text) => folded(text).replace(/[^\p{L}\p{N}]/gu, "");

/** Forget the reading key, and with it all that it opens: what no passphrase brings back. */
export const forgetReading = (db) => note(db, { reading: null });

async function note(db, members) {
    await writing(db, ["single"], async ({ single }) =>
        single.put({ ...(await single.get("vault")), ...members }, "vault"),
    );
}

const replyKey = (keys) => sha256(concat(REPLIES, keys.reading));

const folded = (text) => text.normalize("NFC").toLowerCase();

// The same words on another keyboard: case, spacing and the form of accents don't count.
function stretch(passphrase, salt, { passes, memoryKib }) {
    const words = folded(passphrase).split(/\s+/).filter(Boolean).join(" ");
    return argon2idAsync(utf8(words), salt, { t: passes, m: memoryKib, p: 1, dkLen: KEY_BYTES });
}
