/** Parcels: a body carried as a file, and the reply that comes back the same way (PROTOCOL §6, §9.4). */

import { concat, fromText, sha256, toHex, utf8 } from "./bytes.js";
import { canonical, parse } from "./canonical.js";
import { isSigned } from "./frames.js";
import { openSealedBox, sealedBox } from "./seal.js";

const REPLY = utf8("seere-reply-1\n");
const LF = utf8("\n");

/**
 * A sealed file for the hub. `body` is that of a sync, or `lead(digest)` gives the one that speaks of `parts`, `{sha256,
 * offset, data}` each.
 */
export async function writeParcel({ body, lead, device, number, parts }) {
    const behind = concat(...parts.flatMap((part) => [partLine(part), part.data]));
    const leading = body ?? (await lead(toHex(sha256(behind))));
    const head = {
        coding: leading.coding,
        count: leading.records,
        device: device.device,
        hub: device.hub,
        parcel: number,
        seere_parcel: 1,
        ...(parts.length ? { body: leading.data.length } : {}),
    };
    return concat(canonical(head), LF, sealedBox(device.hubBoxKey, concat(leading.data, behind)));
}

const partLine = ({ sha256: hash, offset, data }) => concat(canonical({ offset, sha256: hash, size: data.length }), LF);

/** What a file is: a parcel of somebody for this hub, `{members}` of a reply to this phone; throws for anything else. */
export function readCarried(bytes, device) {
    const end = bytes.indexOf(10);
    const head = parse(bytes.subarray(0, end));
    if (head.hub !== device.hub) throw new Error("other_hub");
    if (head.seere_parcel === 1) return { isParcel: true };
    const box = bytes.subarray(end + 1);
    const isTheirs = head.seere_reply === 1 && isSigned(sha256(concat(REPLY, box)), fromText(head.sig), device.hubSignKey);
    if (!isTheirs || head.device !== device.device) throw new Error("other_phone");
    return { isParcel: false, members: parse(openSealedBox(box, device.boxPrivate)) };
}
