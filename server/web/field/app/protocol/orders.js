/** Orders from afar: trusted when signed for this phone by whom they need (PROTOCOL §6). */

import { concat, fromText, sha256, utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";
import { isSigned } from "./frames.js";
import { keyId } from "./keyring.js";

const ORDER = utf8("seere-order-1\n");
const ADMINISTRATOR = utf8("seere-administrator-1\n");

/**
 * The order in a signed one, when the hub signed it for this phone `{device, hubSignKey}`, and an administrator of its
 * keyring as well where it wipes; else null.
 */
export function orderOf({ order, sig }, device) {
    if (typeof order !== "object" || order === null || order.device !== device.device) return null;
    if (typeof order.kind !== "string" || !Number.isSafeInteger(order.no)) return null;
    const digest = sha256(concat(ORDER, canonical(order)));
    if (!isSigned(digest, fromText(sig), device.hubSignKey)) return null;
    return order.kind !== "wipe" || isByAdministrator(order, device.keyring) ? order : null;
}

/** Who holds the hub alone can't wipe phones. */
function isByAdministrator({ by, ...signed }, keyring) {
    const key = keyring.administrators.find((each) => keyId(each) === by?.kid);
    const digest = sha256(concat(ADMINISTRATOR, canonical(signed)));
    return key !== undefined && isSigned(digest, fromText(by.sig), key);
}
