/** Sealing of files: a stream that one key opens, whole or not at all (PROTOCOL §9.1). */

import { chacha20, hchacha, poly1305 } from "../vendor/libraries.js";
import { concat, equal, random, sha256, toHex, toText, utf8 } from "./bytes.js";
import { canonical, parse } from "./canonical.js";
import { recognise } from "./media.js";
import { Unopenable } from "./seal.js";

const CHUNK_BYTES = 65_536;
const DESCRIPTION_BYTES = 512;
const HEADER_BYTES = 24;
const OVERHEAD_BYTES = 17;
const DOMAIN = utf8("seere-file-1\n");
const MESSAGE = 0;
const FINAL = 3;
const NOTHING = new Uint8Array();

/** Seal a file under a new key: `{sealed, key, sha256, size, kind, type}`. Throws NotTaken. */
export async function sealFile(bytes, { name = null, takenAt = null } = {}) {
    const { type, kind } = recognise(bytes);
    const told = { sha256: toHex(sha256(bytes)), size: bytes.length, type };
    if (name) told.name = name;
    if (takenAt) told.taken_at = takenAt;
    const key = random(32);
    const header = random(HEADER_BYTES);
    const push = pusher(key, header);
    const parts = [header, push(spaced(canonical(told)), DOMAIN, MESSAGE)];
    let at = 0;
    for (; bytes.length - at >= CHUNK_BYTES; at += CHUNK_BYTES) {
        parts.push(push(bytes.subarray(at, at + CHUNK_BYTES), NOTHING, MESSAGE));
    }
    parts.push(push(bytes.subarray(at), NOTHING, FINAL));
    const sealed = concat(...parts);
    return { sealed, key: toText(key), sha256: toHex(sha256(sealed)), size: sealed.length, kind, type };
}

/** The file in a sealed stream: `{bytes, type, name, takenAt}`. Throws Unopenable where it was cut or changed. */
export async function openFile(sealed, key) {
    const pull = puller(key, sealed.subarray(0, HEADER_BYTES));
    let at = HEADER_BYTES;
    const take = (size) => sealed.subarray(at, (at += Math.min(size, sealed.length - at)));
    const first = pull(take(DESCRIPTION_BYTES + OVERHEAD_BYTES), DOMAIN);
    const told = parse(first.chunk);
    const chunks = [];
    let { tag } = first;
    while (tag === MESSAGE) {
        const pulled = pull(take(CHUNK_BYTES + OVERHEAD_BYTES), NOTHING);
        chunks.push(pulled.chunk);
        tag = pulled.tag;
    }
    const bytes = concat(...chunks);
    const isWhole = tag === FINAL && at === sealed.length && told.size === bytes.length && told.sha256 === toHex(sha256(bytes));
    if (!isWhole) throw new Unopenable();
    return { bytes, type: told.type, name: told.name ?? null, takenAt: told.taken_at ?? null };
}

function spaced(written) {
    const padded = new Uint8Array(DESCRIPTION_BYTES).fill(0x20);
    padded.set(written);
    return padded;
}

// The construction of libsodium's crypto_secretstream_xchacha20poly1305: a subkey by HChaCha20, a nonce of a counter
// and eight bytes that each tag changes, and for each message Poly1305 over the bound data, a block with the tag, and
// the message, each filled to 16 bytes. No stream of ours is long enough to be keyed anew.

function stateOf(key, header) {
    const words = (bytes) => new Uint32Array(bytes.slice().buffer);
    const sub = new Uint32Array(8);
    hchacha(words(utf8("expand 32-byte k")), words(key), words(header.subarray(0, 16)), sub);
    return { key: new Uint8Array(sub.buffer), counter: 1, inner: header.slice(16, 24) };
}

const nonceOf = ({ counter, inner }) => {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(0, counter, true);
    nonce.set(inner, 4);
    return nonce;
};

function advance(state, mac) {
    for (let at = 0; at < 8; at += 1) state.inner[at] ^= mac[at];
    state.counter += 1;
}

function macOf(state, nonce, block, cipher, bound) {
    const key = chacha20(state.key, nonce, new Uint8Array(64), undefined, 0).subarray(0, 32);
    const lengths = new Uint8Array(16);
    const view = new DataView(lengths.buffer);
    view.setBigUint64(0, BigInt(bound.length), true);
    view.setBigUint64(8, BigInt(64 + cipher.length), true);
    // As libsodium fills it: what is left of 16 after the block and the message, counted from the message alone.
    const fill = new Uint8Array((0x10 - 64 + cipher.length) & 0xf);
    return poly1305(concat(bound, new Uint8Array((0x10 - bound.length) & 0xf), block, cipher, fill, lengths), key);
}

function pusher(key, header) {
    const state = stateOf(key, header);
    return (message, bound, tag) => {
        const nonce = nonceOf(state);
        const block = new Uint8Array(64);
        block[0] = tag;
        const hidden = chacha20(state.key, nonce, block, undefined, 1);
        const cipher = chacha20(state.key, nonce, message, undefined, 2);
        const mac = macOf(state, nonce, hidden, cipher, bound);
        advance(state, mac);
        return concat(hidden.subarray(0, 1), cipher, mac);
    };
}

function puller(key, header) {
    if (header.length < HEADER_BYTES) throw new Unopenable();
    const state = stateOf(key, header);
    return (sealed, bound) => {
        if (sealed.length < OVERHEAD_BYTES) throw new Unopenable();
        const nonce = nonceOf(state);
        const block = new Uint8Array(64);
        [block[0]] = sealed;
        const opened = chacha20(state.key, nonce, block, undefined, 1);
        const [tag] = opened;
        // The block as it was hidden: its first byte as it came, then the stream.
        const hidden = opened.slice();
        [hidden[0]] = sealed;
        const cipher = sealed.subarray(1, -16);
        const mac = macOf(state, nonce, hidden, cipher, bound);
        if (!equal(mac, sealed.subarray(-16))) throw new Unopenable();
        advance(state, mac);
        return { chunk: chacha20(state.key, nonce, cipher, undefined, 2), tag };
    };
}
