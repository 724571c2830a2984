/** F9: what can't be sent from here is saved as a sealed file, for a colleague or a cable; and what others gave is posted. */

import { app, VERSION, go, lock } from "../app.js";
import { gather, gatherParts } from "../bodies.js";
import * as files from "../files.js";
import * as outbox from "../outbox.js";
import { button, complain, h, note, show } from "../page.js";
import { readAnswer } from "../protocol/answers.js";
import { readCarried, writeParcel } from "../protocol/parcels.js";
import { parcel as post } from "../road.js";
import { t } from "../words.js";

const PARCEL_MOST_BYTES = 480 * 1024;
const PART_BYTES = 64 * 1024;

/** Save or share a sealed file; post one of a colleague; take in the centre's reply. */
export async function carry() {
    const said = h("div");
    const input = h("input", { type: "file", hidden: true, id: "parcel", onchange: (event) => take(event, said) });
    show(
        { title: t("carry.title"), back: () => go("settings"), lock },
        h("p", {}, t("carry.hint")),
        button(t("carry.save"), () => save(said), { icon: "down", style: "go" }),
        input,
        button(t("carry.take"), () => input.click(), { icon: "up" }),
        said,
        note("shield", t("carry.sealed")),
    );
}

/** Write everything that waits into sealed files, numbered, and hand them over. */
async function save(said) {
    const { box } = app;
    let made = 0;
    for (;;) {
        const bytes = made === 0 ? await textParcel(box) : await partsParcel(box);
        if (!bytes) break;
        made += 1;
        await handOver(bytes);
    }
    said.replaceChildren(h("p", { role: "status" }, t("carry.saved", { n: made })));
}

async function nextNumber(box) {
    const { nextParcel } = await outbox.linkOf(box.db);
    await outbox.noteLink(box.db, { nextParcel: nextParcel + 1 });
    return nextParcel;
}

async function textParcel(box) {
    const body = await gather(box, app.now(), VERSION);
    return writeParcel({ body, device: box.device, number: await nextNumber(box), parts: [] });
}

/** The next parts of files that no parcel has; null when there are none. */
async function partsParcel(box) {
    const parts = [];
    let room = PARCEL_MOST_BYTES;
    for (const file of (await box.db.getAll("files")).filter((row) => row.state === "waiting" && row.isKept)) {
        const bytes = await files.bytesOf(box.db, file.sha256);
        let start = Math.max(file.arrived, file.packed);
        while (start < file.size && room > 0) {
            const data = bytes.subarray(start, start + Math.min(PART_BYTES, room));
            parts.push({ sha256: file.sha256, offset: start, data });
            start += data.length;
            room -= data.length;
        }
        await files.notePacked(box.db, file.sha256, start);
    }
    if (!parts.length) return null;
    const lead = (digest) => gatherParts(box, app.now(), VERSION, digest);
    return writeParcel({ lead, device: box.device, number: await nextNumber(box), parts });
}

/** Share it where the phone can share files, else save it. Its name says nothing. */
async function handOver(bytes) {
    const name = `carnet-${app.now().getTime().toString(36)}.bin`;
    const file = new File([bytes], name, { type: "application/octet-stream" });
    if (navigator.canShare?.({ files: [file] })) {
        await navigator.share({ files: [file] });
        return;
    }
    const url = URL.createObjectURL(file);
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A reply of the centre is for this phone or for a colleague's; a parcel of a colleague is posted as it is. */
async function take(event, said) {
    const { box } = app;
    const bytes = new Uint8Array(await event.target.files[0].arrayBuffer());
    try {
        const carried = readCarried(bytes, box.device);
        if (!carried.isParcel) {
            await outbox.apply(box, readAnswer(carried.members), app.now(), []);
            said.replaceChildren(h("p", { role: "status" }, t("carry.read")));
        } else {
            await handOver(await post(bytes, box.device.token));
            said.replaceChildren(h("p", { role: "status" }, t("carry.posted")));
        }
    } catch {
        complain(said, t("carry.refused"));
    }
}
