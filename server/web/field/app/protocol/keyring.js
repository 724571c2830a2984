/** The keyring: whom a complaint is sealed to, signed by the organisation's root key (PROTOCOL §4.2). */

import { fromText, sha256, toHex, toText, utf8, concat } from "./bytes.js";
import { canonical } from "./canonical.js";
import { isSigned } from "./frames.js";

const DOMAIN = utf8("seere-keyring-1\n");
const ALWAYS_SEALED = ["identity", "traces"];

/** The id of a public key: the first 16 hexadecimal digits of its SHA-256. */
export const keyId = (publicKey) => toHex(sha256(publicKey)).slice(0, 16);

/**
 * The keyring in a signed document `{keyring, sig}`, if this root key signed it and nothing in it is amiss; throws
 * otherwise. A keyring never goes back: who keeps them compares versions.
 */
export function readKeyring(signed, root) {
    const { keyring, sig } = signed;
    const signature = fromText(sig);
    const isTheirs = isSigned(sha256(concat(DOMAIN, canonical(keyring))), signature, root);
    // One keyring has one writing: whoever compares two by their bytes must not be misled.
    if (!isTheirs || toText(signature) !== sig || keyring.root !== toText(root)) throw new Error("keyring_signature");
    const recipients = keyring.recipients.map(recipient);
    if (!Number.isInteger(keyring.version) || keyring.version < 1 || !recipients.length) throw new Error("keyring");
    return { ...keyring, recipients, linkage: key(keyring.linkage), administrators: keyring.administrators.map(key) };
}

function key(text) {
    const bytes = fromText(text);
    if (bytes.length !== 32 || toText(bytes) !== text) throw new Error("keyring");
    return bytes;
}

function recipient(members) {
    const publicKey = key(members.public);
    // The id is what boxes are found by: one that names another key would hide them from their reader.
    if (members.kid !== keyId(publicKey)) throw new Error("keyring");
    return { ...members, public: publicKey };
}

/** Whom a complaint is sealed to: recovery always, then who covers it; when strict, named readers alone. */
export function readersFor(keyring, { region, team, partner, isStrict }) {
    const covers = (each) =>
        [[each.regions, region], [each.teams, team], [each.partners, partner]].every(
            ([scope, value]) => !scope.length || scope.includes(value),
        ); // prettier-ignore
    const mayRead = (each) => !isStrict || (each.is_named_reader && (each.held === "offline" || !keyring.policy.strict_offline));
    return [
        ...keyring.recipients.filter((each) => each.is_recovery),
        ...keyring.recipients.filter((each) => !each.is_recovery && covers(each) && mayRead(each)),
    ];
}

/** Which compartments of a complaint are sealed on the phone. */
export const sealedCompartments = (keyring, isStrict) =>
    isStrict || keyring.policy.seal_statement === "all" ? [...ALWAYS_SEALED, "statement"] : ALWAYS_SEALED;
