/** Sealing: compartments of a record that only the keys of their readers open (PROTOCOL §4.1). */

import { blake2b, nacl, xchacha20poly1305 } from "../vendor/libraries.js";
import { concat, random, utf8 } from "./bytes.js";

const KEY_BYTES = 32;
const SMALLEST_BYTES = 64;
const TEXT_MAX_BYTES = 2 ** 20;
const DOMAIN = "seere-seal-1";
const NONCE = new Uint8Array(24);
const AS_IS = 0;
const DEFLATED = 1;
// The preset dictionary of version 1: what texts are likely to repeat, the likeliest last.
const EXPECTED = utf8(
    '{"contact":{"how":"","say":"","through":"","when":""},"media_keys":{"note":""' +
        '{"lang":"fr","narrative":"","summary":""},"accuracy_m":1' +
        '"},"persons":[{"name":"","no":3,"phone":"+223 00 ' +
        '{"gps":{"lat":"1","lon":"-"},"place":{"id":"ml-c-","list":"2026.1"},"said":"' +
        '},{"name":"","no":2}]}{"persons":[{"name":"","no":1,"phone":"+223 00 ',
);

/** A box that this key does not open, or not here: another key, record or compartment, or damaged. */
export class Unopenable extends Error {}

/**
 * Seal the texts of compartments so that each reader `{kid, public}` opens all of them: `{boxes, keys}` of bytes.
 * `binding` is `{record, lineage}`, where the boxes belong.
 */
export function seal(parts, readers, binding) {
    if (!readers.length) throw new Error("no readers");
    const recordKey = random(KEY_BYTES);
    const boxes = mapped(parts, (text, name) => cipher(recordKey, name, binding).encrypt(packed(text)));
    return { boxes, keys: Object.fromEntries(readers.map((each) => [each.kid, sealedBox(each.public, recordKey)])) };
}

const mapped = (members, change) =>
    Object.fromEntries(Object.entries(members).map(([name, value]) => [name, change(value, name)]));

/** The record key in one reader's box, by that reader's X25519 private key. Throws Unopenable. */
export const openRecordKey = (box, privateKey) => openSealedBox(box, privateKey);

/** The text of a compartment. Resolves to bytes, rejects with Unopenable. */
export async function openPart(box, recordKey, compartment, binding) {
    let padded;
    try {
        padded = cipher(recordKey, compartment, binding).decrypt(box);
    } catch {
        throw new Unopenable();
    }
    return unpacked(padded);
}

/** An envelope for one X25519 public key, padded to a class. */
export const sealTo = (publicKey, data) => sealedBox(publicKey, packed(data));

/** What `sealTo` put in, by the X25519 private key. Resolves to bytes, rejects with Unopenable. */
export const openEnvelope = async (envelope, privateKey) => unpacked(openSealedBox(envelope, privateKey));

/** The X25519 public key of a private one. */
export const boxPublic = (privateKey) => nacl.box.keyPair.fromSecretKey(privateKey).publicKey;

/** A sealed box of libsodium: for this key, by nobody. */
export function sealedBox(publicKey, data) {
    const own = nacl.box.keyPair.fromSecretKey(random(KEY_BYTES));
    return concat(own.publicKey, nacl.box(data, boxNonce(own.publicKey, publicKey), publicKey, own.secretKey));
}

/** What is in a sealed box. Throws Unopenable. */
export function openSealedBox(box, privateKey) {
    const publicKey = boxPublic(privateKey);
    const [theirs, rest] = [box.subarray(0, KEY_BYTES), box.subarray(KEY_BYTES)];
    const data = theirs.length === KEY_BYTES && nacl.box.open(rest, boxNonce(theirs, publicKey), theirs, privateKey);
    if (!data) throw new Unopenable();
    return data;
}

const boxNonce = (one, other) => blake2b(concat(one, other), { dkLen: 24 });

function cipher(recordKey, compartment, { record, lineage }) {
    const personalization = concat(utf8(DOMAIN), new Uint8Array(4));
    const key = blake2b(utf8(compartment), { key: recordKey, personalization, dkLen: KEY_BYTES });
    // Each part is preceded by its length, so that no two places share one.
    const bound = [compartment, record, lineage].map((part) => `\n${utf8(part).length}:${part}`).join("");
    // No key seals twice: a record key is drawn for each seal, and gives each compartment a key of its own.
    return xchacha20poly1305(key, NONCE, utf8(DOMAIN + bound));
}

/** A byte that says how, the text, and padding (ISO/IEC 7816-4) up to the next class. */
function packed(text) {
    if (text.length > TEXT_MAX_BYTES) throw new Error("too long to seal");
    const least = text.length + 2;
    const padded = new Uint8Array(Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(least))));
    padded[0] = AS_IS;
    padded.set(text, 1);
    padded[text.length + 1] = 0x80;
    return padded;
}

async function unpacked(padded) {
    const end = padded.findLastIndex((byte) => byte !== 0);
    if (end < 1 || padded[end] !== 0x80) throw new Unopenable();
    const rest = padded.subarray(1, end);
    if (padded[0] === AS_IS) return rest;
    if (padded[0] !== DEFLATED) throw new Unopenable();
    return inflated(rest);
}

/**
 * Raw DEFLATE with the preset dictionary: what browsers inflate knows none, so that it is given as a block of plain
 * bytes before the stream, and left out of what comes.
 */
async function inflated(deflated) {
    const size = EXPECTED.length;
    const block = Uint8Array.of(0, size & 255, size >> 8, ~size & 255, (~size >> 8) & 255);
    const stream = new Blob([block, EXPECTED, deflated]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const parts = [];
    let length = 0;
    try {
        for (const reader = stream.getReader(); ; ) {
            const { done, value } = await reader.read();
            if (done) break;
            length += value.length;
            if (length > size + TEXT_MAX_BYTES) throw new Unopenable();
            parts.push(value);
        }
    } catch {
        throw new Unopenable();
    }
    return concat(...parts).subarray(size);
}
