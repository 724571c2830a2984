/** Anchors: the signed heads of the hub's log, and the proof that one grew out of another (PROTOCOL §6). */

import { concat, equal, fromText, sha256, utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";
import { isSigned } from "./frames.js";

const DOMAIN = utf8("seere-anchor-1\n");
const HASH_BYTES = 32;

/**
 * What came of the anchor of an answer, held against the one that was kept: `{outcome, kept}`, with `grown`, `restored`
 * after a declared restore that lost what was seen, or `differs`; null for one that is not this hub's.
 */
export function holdAgainst(kept, came, device) {
    const { anchor, sig, proof = "" } = came;
    const isTheirs = anchor?.hub === device.hub && isSigned(sha256(concat(DOMAIN, canonical(anchor))), fromText(sig), device.hubSignKey);
    if (!isTheirs) return { outcome: "differs", kept };
    const next = { anchor, sig };
    if (kept === null || grew(kept.anchor, anchor, fromText(proof))) return { outcome: "grown", kept: next };
    return kept.anchor.epoch === anchor.epoch ? { outcome: "differs", kept } : { outcome: "restored", kept: next };
}

const grew = (first, second, proof) => isConsistent(first.size, fromHex(first.root), second.size, fromHex(second.root), proof);

const fromHex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

/** Whether a log with one head can have grown into one with the other. RFC 9162 §2.1.4.2. */
export function isConsistent(firstSize, firstRoot, secondSize, secondRoot, proof) {
    const path = [];
    for (let at = 0; at < proof.length; at += HASH_BYTES) path.push(proof.subarray(at, at + HASH_BYTES));
    if (firstSize <= 0 || firstSize > secondSize || proof.length % HASH_BYTES) return false;
    if (firstSize === secondSize) return !path.length && equal(firstRoot, secondRoot);
    if (isPowerOfTwo(firstSize)) path.unshift(firstRoot);
    if (!path.length) return false;
    const roots = rootsAlong(path, firstSize - 1, secondSize - 1);
    return roots !== null && equal(roots[0], firstRoot) && equal(roots[1], secondRoot);
}

// No bit operators: they stop at 32 bits.
const isOdd = (number) => number % 2 === 1;
const half = (number) => Math.floor(number / 2);
const isPowerOfTwo = (number) => Number.isInteger(Math.log2(number));
const node = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

function rootsAlong([start, ...path], firstLast, secondLast) {
    let [first, second] = [firstLast, secondLast];
    const up = () => ([first, second] = [half(first), half(second)]);
    while (isOdd(first)) up();
    let [older, newer] = [start, start];
    for (const each of path) {
        if (second === 0) return null;
        if (isOdd(first) || first === second) {
            [older, newer] = [node(each, older), node(each, newer)];
            while (first && !isOdd(first)) up();
        } else newer = node(newer, each);
        up();
    }
    return second === 0 ? [older, newer] : null;
}
