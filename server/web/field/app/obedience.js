/** Orders from afar: obeyed when signed for this phone by whom they need, and only once. */

import { orderOf } from "./protocol/orders.js";
import { readKeyring } from "./protocol/keyring.js";
import * as outbox from "./outbox.js";
import * as received from "./received.js";
import { keepDevice } from "./device.js";
import { writing } from "./store.js";
import { forgetReading } from "./vault.js";
import { eraseAll } from "./wipe.js";

/**
 * Obey what was ordered; gives the kinds of the orders obeyed, `erased` when nothing of the phone is left. A keyring is
 * followed when the pinned root key signed it and it is newer; else `keyring_refused` is given in its place.
 */
export async function obey(box, orders) {
    const obeyed = [];
    for (const signed of orders) {
        const order = orderOf(signed, box.device);
        const link = await outbox.linkOf(box.db);
        if (order === null || order.no <= link.lastOrder) continue;
        if (order.kind === "keyring") obeyed.push(await follow(box, order));
        else if (order.kind === "revoke") {
            // Nothing else comes down from now on, not even that a task is taken back.
            await forgetTasks(box.db);
            await outbox.noteLink(box.db, { isRevoked: !link.isWiped, lastOrder: order.no });
            obeyed.push(order.kind);
        } else if (order.kind === "wipe") {
            await wipe(box, order.no);
            obeyed.push(order.kind);
        }
    }
    const { isWiped } = await outbox.linkOf(box.db);
    if (isWiped && !(await outbox.holdsLastCopies(box.db))) {
        await eraseAll(box);
        obeyed.push("erased");
    }
    return obeyed;
}

/** Keys first: after a kill the order comes again, and by then nothing is left to read. */
async function wipe(box, no) {
    await forgetReading(box.db);
    box.keys.reading?.fill(0);
    box.keys.reading = null;
    await received.forget(box.db);
    await writing(box.db, ["drafts", "takes", "cards"], async (stores) => {
        for (const store of Object.values(stores)) await store.clear();
    });
    // A revoked phone sends nothing; a wiped one brings away what only it has.
    await outbox.noteLink(box.db, { isWiped: true, isRevoked: false, lastOrder: no });
}

const forgetTasks = (db) =>
    writing(db, ["tasks", "looks"], async ({ tasks, looks }) => {
        await looks.clear();
        await tasks.clear();
    });

/** Take the keyring of an order; the one at hand may come again, after an enrolment. */
async function follow(box, order) {
    const standing = box.device.keyring;
    let keyring = null;
    try {
        keyring = readKeyring(order.keyring, box.device.root);
    } catch {
        // Said below, to a person.
    }
    const isTaken = keyring !== null && (keyring.version > standing.version || isSame(order.keyring, box));
    if (isTaken) await keepDevice(box, { keyring: order.keyring });
    await outbox.noteLink(box.db, { lastOrder: order.no });
    return isTaken ? "keyring" : "keyring_refused";
}

const isSame = (document, box) => JSON.stringify(document) === JSON.stringify(box.device.keyringDocument);
