/** Bodies: what goes up in one request, cut so that a broken link costs one frame. The twin of client_sync/bodies.py. */

import { concat } from "./protocol/bytes.js";
import { encodeFrame, signer } from "./protocol/frames.js";
import * as files from "./files.js";
import { inFlight, linesOf, linkOf, nextLines, noteLeaving, noteLink, putInFlight, waiting } from "./outbox.js";

export const LEAST_BYTES = 16 * 1024;
export const MOST_BYTES = 512 * 1024;
// Asking costs a round trip and 300 bytes; below this it is cheaper to send the frames again.
const ASK_ABOVE_BYTES = 4 * 1024;
const FRAME_AIM_BYTES = 12 * 1024;
const FRAME_MIN_BYTES = 8 * 1024;
const ASK_MOST = 2000;
const RATIO_LEAST = 0.1;
const CHANGES_LEAST_BYTES = 2 * 1024;
const DIGEST_DIGITS = 16;

/**
 * The next body: frames that may have left before, as they were, then new ones up to the body's size. What it holds is
 * kept as *in flight* when this resolves: `{data, coding, frames, records}`.
 */
export async function gather(box, now, version) {
    const writer = await openWriter(box, now, version);
    if (writer.link.isRevoked) return writer.onlyAsk([]);
    const room = writer.link.bodyBytes;
    const again = fitting(await inFlight(box.db), room);
    return writer.write(again, room);
}

/** A body that only asks about frames that may have arrived; null when sending them again costs less. */
export async function gatherQuestions(box, now, version) {
    const unsure = (await inFlight(box.db)).filter((frame) => frame.isUnsure);
    const weight = unsure.reduce((sum, frame) => sum + frame.weight, 0);
    const writer = await openWriter(box, now, version);
    if (writer.link.isRevoked || weight <= ASK_ABOVE_BYTES) return null;
    return writer.onlyAsk(unsure.slice(0, ASK_MOST));
}

/** A body without records, signed for the parts of files that travel behind it; `parts` is their SHA-256. */
export const gatherParts = async (box, now, version, parts) =>
    (await openWriter(box, now, version)).onlyAsk([], parts);

/** The size of the next body: double after a success, half after a failure. */
export const nextBodyBytes = (bytes, arrived) =>
    Math.min(Math.max(arrived ? bytes * 2 : Math.floor(bytes / 2), LEAST_BYTES), MOST_BYTES);

async function openWriter(box, now, version) {
    const link = await linkOf(box.db);
    const pendingFiles = (await files.pending(box.db)).count > 0;
    const sign = signer(box.device.signSeed);
    const at = `${now.toISOString().slice(0, 19)}Z`;
    const frames = [];
    const numbers = [];
    let number = link.nextFrame;

    function headerOf(left, ask = [], parts = null) {
        const plain = { device: box.device.device, hub: box.device.hub, epoch: link.epoch, frame: number, at };
        number += 1;
        if (left === null) return plain;
        return given({
            ...plain,
            cursor: link.cursor,
            limit: Math.max(Math.floor(link.bodyBytes / 4), CHANGES_LEAST_BYTES),
            ask,
            backed_up_to: link.backedUpTo,
            waiting: left,
            version,
            anchor: link.anchor?.anchor.size ?? 0,
            order: link.lastOrder || null,
            files: pendingFiles || null,
            parts,
        });
    }

    async function writeLead(about, left, parts) {
        const ask = about.map((frame) => [frame.number, frame.digest.slice(0, DIGEST_DIGITS)]);
        const header = headerOf(left, ask, parts);
        await putInFlight(box.db, header, [], 0);
        frames.push(encodeFrame(header, [], sign));
    }

    async function writeNew(lines, left) {
        const header = headerOf(left);
        const frame = encodeFrame(header, lines.map(({ line }) => line), sign);
        const weight = (await gzip(frame)).length;
        await putInFlight(box.db, header, lines, weight);
        await noteLink(box.db, { ratio: weight / frame.length });
        frames.push(frame);
        numbers.push(header.frame);
    }

    async function body(records) {
        const plain = concat(...frames);
        return { data: await gzip(plain), coding: "gzip", frames: numbers, records };
    }

    return {
        link,
        async onlyAsk(about, parts = null) {
            await writeLead(about, (await waiting(box.db)).all, parts);
            return body(0);
        },
        async write(again, mostBytes) {
            const room = mostBytes - again.reduce((sum, frame) => sum + frame.weight, 0);
            const groups = await plan(box, room, link.ratio, !again.length);
            const resent = [];
            for (const frame of again) resent.push({ frame, lines: await linesOf(box, frame.number) });
            const lines = [...resent.map((each) => each.lines), ...groups].flat();
            const left = (await waiting(box.db)).all - lines.length;
            // A frame sent again keeps its old header: what is asked for now stands in a frame of its own.
            if (again.length || !groups.length) await writeLead([], left);
            for (const { frame, lines: held } of resent) {
                frames.push(encodeFrame(frame.header, held.map(({ line }) => line), sign));
                numbers.push(frame.number);
            }
            for (const group of groups) await writeNew(group, numbers.length ? null : left);
            await noteLeaving(box.db, numbers);
            return body(lines.length);
        },
    };
}

/** New records in groups, each of the size of a frame by the ratio measured last. */
async function plan(box, room, measured, isFirst) {
    const ratio = Math.max(measured, RATIO_LEAST);
    const groups = [];
    let after = 0;
    let left = room;
    while ((isFirst && !groups.length) || left >= FRAME_MIN_BYTES) {
        const group = await nextLines(box, after, FRAME_AIM_BYTES / ratio);
        if (!group.length) break;
        groups.push(group);
        after = group.at(-1).seq;
        left -= Math.round(group.reduce((sum, { line }) => sum + line.length, 0) * ratio);
    }
    return groups;
}

/** The first frames that fit in a body; one at least, if there is any. */
function fitting(frames, mostBytes) {
    let size = 0;
    return frames.filter(({ weight }, at) => {
        size += weight;
        return at === 0 || size <= mostBytes;
    });
}

const given = (members) =>
    Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null && !(value.length === 0)));

/** The bytes as gzip. */
export async function gzip(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}
