/** What binds this phone to its hub: keys that never leave it, behind the sending key of the vault. */

import { canonical, parse } from "./protocol/canonical.js";
import { fromText, random, toText } from "./protocol/bytes.js";
import { enrolRequest, readAdmission, sixWords } from "./protocol/enrolment.js";
import { readKeyring } from "./protocol/keyring.js";
import { enrol } from "./road.js";
import { writing } from "./store.js";
import { hide, show } from "./vault.js";

/**
 * Enrol this phone with a one-time code; the same keys each time for the same code, for an answer may get lost. Gives
 * the device; raises LinkCut, NotAnAnswer and Refused.
 */
export async function enrolDevice(box, code, software) {
    const pending = (await box.db.get("single", "enrolling")) ?? null;
    const open = pending && parse(show(box.keys.sending, pending));
    const seeds = open?.code === code ? open : { code, sign: toText(random(32)), box: toText(random(32)) };
    await put(box, "enrolling", seeds);
    const [signSeed, boxPrivate] = [fromText(seeds.sign), fromText(seeds.box)];
    const admission = readAdmission(await enrol(enrolRequest(code, signSeed, boxPrivate, software)));
    await put(box, "device", { ...admission, sign: seeds.sign, box: seeds.box });
    await writing(box.db, ["single"], ({ single }) => single.delete("enrolling"));
    return loadDevice(box);
}

/** The device of this phone, opened by the sending key, into `box.device`; null before the enrolment. */
export async function loadDevice(box) {
    const hidden = await box.db.get("single", "device");
    if (!hidden) return null;
    const kept = parse(show(box.keys.sending, hidden));
    const root = fromText(kept.root);
    const keyring = readKeyring(kept.keyring, root);
    box.device = {
        ...kept,
        signSeed: fromText(kept.sign),
        boxPrivate: fromText(kept.box),
        hubSignKey: fromText(kept.sign_key),
        hubBoxKey: fromText(kept.box_key),
        root,
        keyring,
        keyringDocument: kept.keyring,
    };
    box.sealer = { keyring, lineage: kept.lineage, team: kept.team ?? null, partner: kept.partner ?? null };
    return box.device;
}

/** Keep members of the device in place of those before, such as a `keyring` that the caller has checked. */
export async function keepDevice(box, members) {
    const kept = parse(show(box.keys.sending, await box.db.get("single", "device")));
    await put(box, "device", { ...kept, ...members });
    await loadDevice(box);
}

/** The six words that the centre must read out as well. */
export const wordsOf = (device, list) =>
    sixWords(device.hubSignKey, device.root, device.signSeed, device.boxPrivate, list);

const put = (box, name, value) =>
    writing(box.db, ["single"], ({ single }) => single.put(hide(box.keys.sending, canonical(value)), name));
