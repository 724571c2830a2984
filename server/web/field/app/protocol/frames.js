/** Frames: signed groups of operations, the unit of loss (PROTOCOL §3.2). */

import { nacl } from "../vendor/libraries.js";
import { concat, sha256, toText, utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";

const DOMAIN = utf8("seere-frame-1\n");
const LF = utf8("\n");

/** A header as it goes on the wire, with its newline. */
export const headerLine = (header) => concat(canonical({ seere: 1, ...header }), LF);

/** An operation as a line, without its newline. */
export const recordLine = ({ op, id, seq, content }) => canonical({ content, id, op, seq });

/** What a phone signs: 32 bytes over header line and record lines, newlines included. */
export const frameDigest = (head, lines) => sha256(concat(DOMAIN, head, ...lines.flatMap((line) => [line, LF])));

/** A frame ready for the wire; `lines` have no newline, `sign` gives 64 bytes for 32. */
export function encodeFrame(header, lines, sign) {
    const head = headerLine(header);
    const end = { end: header.frame, n: lines.length, sig: toText(sign(frameDigest(head, lines))) };
    return concat(head, ...lines.flatMap((line) => [line, LF]), canonical(end), LF);
}

/** The signing function of an Ed25519 seed. */
export function signer(seed) {
    const { secretKey } = nacl.sign.keyPair.fromSeed(seed);
    return (digest) => nacl.sign.detached(digest, secretKey);
}

/** The Ed25519 public key of a seed. */
export const publicOf = (seed) => nacl.sign.keyPair.fromSeed(seed).publicKey;

/** Whether a key signed this digest. */
export const isSigned = (digest, signature, key) =>
    signature.length === 64 && nacl.sign.detached.verify(digest, signature, key);
