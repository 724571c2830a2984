/** Synchronisation: one session of this phone with its hub, over a link that may break at any byte. */

import { readAnswer } from "./protocol/answers.js";
import { holdAgainst } from "./protocol/anchors.js";
import { obey } from "./obedience.js";
import { upload } from "./protocol/uploads.js";
import * as bodies from "./bodies.js";
import * as files from "./files.js";
import * as outbox from "./outbox.js";
import * as road from "./road.js";

const ROUND_TRIPS_MAX = 200;
const BROKEN_ON_ITS_WAY = new Set(["body_empty", "body_unreadable", "body_too_large"]);
const SENT_AGAIN = new Set(["over_limit", "not_here"]);

/**
 * One whole session: texts up, verdicts, changes and orders down, files last; a text that is closed while files go up
 * goes before the rest. `tell({stage, …})` hears where it is. Never raises for a bad link: gives
 * `{isCut, code, retryAfterS, orders, sent, arrived, files, log}`, and the next session goes on from there.
 */
export async function sync(box, { now, version, tell = () => {} }) {
    const session = newSession(box, now, version, tell);
    try {
        await session.run();
    } catch (error) {
        await session.end(error);
    }
    return session.report;
}

function newSession(box, now, version, tell) {
    const report = { isCut: false, code: null, retryAfterS: null, orders: [], sent: 0, arrived: 0, files: 0, log: null };
    const givenUp = new Set();
    let need = [];
    let trips = 0;

    const isOver = () => report.isCut || report.code !== null || report.retryAfterS !== null || box.isErased;
    const gather = () => bodies.gather(box, now(), version);
    const hasText = async () => (await outbox.waiting(box.db)).all > 0;

    async function exchange(first) {
        let body = first;
        while (await roundTrip(body)) {
            trips += 1;
            if (trips >= ROUND_TRIPS_MAX) {
                report.isCut = true;
                return;
            }
            body = await gather();
        }
    }

    /** One request and what follows from its answer; whether another is needed. */
    async function roundTrip(body) {
        tell({ stage: "texts", records: body.records });
        report.sent += body.records;
        const began = performance.now();
        const answer = readAnswer(await road.sync(body, box.device.token));
        await noteSpeed(body.data.length, began);
        const applied = await outbox.apply(box, answer, now(), body.frames);
        report.arrived += applied.cameTo.at_centre ?? 0;
        report.retryAfterS = answer.retryAfterS;
        need = answer.need;
        report.orders.push(...(await obey(box, answer.orders)));
        if (box.isErased) return false;
        await keepAnchor(answer.anchor);
        await resize(true);
        const link = await outbox.linkOf(box.db);
        if (link.isRevoked) report.code = "device_revoked";
        const lasting = applied.unread.filter((reason) => !SENT_AGAIN.has(reason));
        if (lasting.length) report.code = lasting.sort()[0];
        tell({ stage: "texts", records: 0 });
        const waits = await hasText();
        // The hub answers and reads nothing: coming again at once would go on for ever.
        if (waits && body.frames.length && !applied.frames) report.isCut = true;
        return !isOver() && (waits || (answer.hasMore && applied.changes + applied.files > 0));
    }

    async function noteSpeed(bytes, began) {
        const tookS = (performance.now() - began) / 1000;
        if (bytes > 2000 && tookS > 0) await outbox.noteLink(box.db, { bytesPerS: Math.round(bytes / tookS) });
    }

    async function keepAnchor(came) {
        const link = await outbox.linkOf(box.db);
        if (!came || link.isWiped) return;
        const { outcome, kept } = holdAgainst(link.anchor, came, box.device);
        report.log = outcome;
        if (outcome === "differs" && link.hasLogDiffered) return;
        // A log that does not follow is told once more what was seen; one that does, what is kept now.
        await outbox.noteLink(box.db, { anchor: kept, hasLogDiffered: outcome === "differs" });
        if (kept) await outbox.finalise(box, [{ op: "anchor_seen", id: crypto.randomUUID(), content: kept }]);
    }

    async function resize(arrived) {
        const { bodyBytes } = await outbox.linkOf(box.db);
        await outbox.noteLink(box.db, { bodyBytes: bodies.nextBodyBytes(bodyBytes, arrived) });
    }

    /** Send the wanted files; whether anything moved. */
    async function sendFiles(wanted) {
        let moved = false;
        const note = async (said) => {
            moved = moved || said.gained > 0;
            if (said.code) {
                givenUp.add(said.sha256);
                await files.noteRefused(box.db, said.sha256, said.code);
            } else if (await files.noteArrived(box.db, said.sha256, said.offset)) report.files += 1;
            tell({ stage: "files", ...(await files.pending(box.db)) });
        };
        await upload({
            wanted: wanted.map((each) => ({ ...each, read: () => files.bytesOf(box.db, each.sha256) })),
            device: box.device.device,
            request: road.uploading(box.device.token),
            note,
            giveUp: (sha256) => givenUp.add(sha256),
            hasText,
        });
        return moved;
    }

    return {
        report,
        async run() {
            await exchange((await bodies.gatherQuestions(box, now(), version)) ?? (await gather()));
            while (!isOver()) {
                const wanted = await files.noteNeeded(box.db, need.filter((each) => !givenUp.has(each.sha256)));
                if (!wanted.length) return;
                const moved = (await sendFiles(wanted)) || (await hasText());
                // What arrived is told by the answer, and a text that came meanwhile goes now.
                await exchange(await gather());
                if (!moved) return;
            }
        },
        async end(error) {
            if (error instanceof road.Refused) {
                report.code = error.code;
                report.retryAfterS = error.retryAfterS;
                if (BROKEN_ON_ITS_WAY.has(error.code)) await resize(false);
            } else if (error instanceof road.LinkCut || error instanceof road.NotAnAnswer) {
                report.isCut = true;
                if (error instanceof road.NotAnAnswer) report.code = "not_an_answer";
                await resize(false);
            } else throw error;
        },
    };
}
