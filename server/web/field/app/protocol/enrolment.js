/** Enrolment: the one-time code, the proof of keys, and the six words that both sides read out (PROTOCOL §5). */

import { concat, fromText, sha256, toText, utf8 } from "./bytes.js";
import { publicOf, signer } from "./frames.js";
import { readKeyring } from "./keyring.js";
import { boxPublic } from "./seal.js";

const PROOF = utf8("seere-enrol-1\n");
const WORDS = utf8("seere-words-1\n");
const FINGERPRINT_WORDS = 6;
const MISREAD = { I: "1", L: "1", O: "0", U: "V" };
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The code as it is hashed: any grouping or case, with letters that are easily taken for figures. */
export const normalCode = (text) => text.replace(/[\s-]/g, "").toUpperCase().replace(/[ILOU]/g, (char) => MISREAD[char]);

/** What a new phone asks with: its public keys, and the proof that it holds them. */
export function enrolRequest(code, signSeed, boxPrivate, software, succeeds) {
    const [signKey, boxKey] = [publicOf(signSeed), boxPublic(boxPrivate)];
    const proof = signer(signSeed)(sha256(concat(PROOF, utf8(code), signKey, boxKey)));
    const asked = { box_key: toText(boxKey), code, proof: toText(proof), sign_key: toText(signKey), software };
    return succeeds ? { ...asked, succeeds } : asked;
}

/** What the hub admits a phone with, checked; throws for what no hub would give. */
export function readAdmission(members) {
    const names = ["device", "lineage", "hub"];
    if (!names.every((name) => ID.test(members[name])) || !/^[!-~]{1,200}$/.test(members.token)) throw new Error("admission");
    if (fromText(members.sign_key).length !== 32 || fromText(members.box_key).length !== 32) throw new Error("admission");
    readKeyring(members.keyring, fromText(members.root));
    const kept = ["coalition", "team", "partner", "places", "epoch", "token", "root", "keyring", "sign_key", "box_key"];
    return Object.fromEntries([...names, ...kept].map((name) => [name, members[name] ?? null]));
}

/** The six words of a pair of hub and phone, and of the root key that says whom the phone seals to. */
export function sixWords(hubSignKey, root, signSeed, boxPrivate, list) {
    const digest = sha256(concat(WORDS, hubSignKey, root, publicOf(signSeed), boxPublic(boxPrivate)));
    return Array.from(digest.subarray(0, FINGERPRINT_WORDS), (byte) => list[byte]);
}
