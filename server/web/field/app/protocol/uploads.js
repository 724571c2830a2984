/** Uploads: files go up two at a time, in chunks of which a cut costs one (PROTOCOL §9.3). */

import { concat, sha256, toBase64, toHex, utf8 } from "./bytes.js";
import { LinkCut, NotAnAnswer, Refused } from "../road.js";

export const FILES_PATH = "/api/v1/files";
const AT_ONCE = 2;
const LEAST_BYTES = 32 * 1024;
const MOST_BYTES = 64 * 1024;
const MOST_FAST_BYTES = 512 * 1024;
const FAST_S = 1;
const GROWS_WITHIN_S = 8;
const SHRINKS_AFTER_S = 12;
const PAUSE_FIRST_S = 1;
const PAUSE_MOST_S = 30;
// Twice as long as a link in the field is usually away.
const GIVES_UP_AFTER_S = 60;
const OUT_OF_STEP = new Set(["offset_differs", "checksum_differs", "file_busy"]);
// What the hub says of one file: with a code, it will never come.
const OF_THE_FILE = { file_too_large: "file_too_large", file_unwanted: null, file_differs: "file_damaged" };

/** The address of an upload: whoever lost an answer goes on at the one that it knows. */
export const uploadId = (device, sha256Hex) =>
    toHex(sha256(concat(utf8("seere-upload-1\n"), utf8(`${device}\n${sha256Hex}`)))).slice(0, 32);

/**
 * Send files in their order until all arrived, a text waits, or the link is given up. `wanted` are `{sha256, size,
 * offset, read}`; `request(method, path, headers, body)` is one request; `note({sha256, offset, gained, code})` is told
 * what became of each and may be waited for. Raises LinkCut, NotAnAnswer and Refused; what was noted before stands.
 */
export async function upload({ wanted, device, request, note, giveUp, hasText }) {
    const work = { queue: [...wanted], failures: 0, arrivedAt: performance.now(), atOnce: 0, stops: false };
    const road = async () => {
        const size = chunkSize();
        work.atOnce += 1;
        try {
            for (let file = work.queue.shift(); file && !work.stops; file = work.queue.shift()) {
                await send(file, { work, device, request, note, giveUp, hasText, size });
            }
        } catch (error) {
            work.stops = true;
            throw error;
        } finally {
            work.atOnce -= 1;
        }
    };
    const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, road));
    const failed = ended.find(({ status }) => status === "rejected");
    if (failed) throw failed.reason;
}

/** The size of the next chunk: double while chunks arrive quickly, half after one that was cut or slow. */
export function chunkSize() {
    let bytes = LEAST_BYTES;
    const noteCut = () => (bytes = Math.max(Math.floor(bytes / 2), LEAST_BYTES));
    return {
        get bytes() {
            return bytes;
        },
        noteCut,
        noteArrived(sent, tookS, atOnce) {
            // A cut costs what is on its way of all of them.
            const most = Math.max(tookS < FAST_S ? MOST_FAST_BYTES : Math.floor(MOST_BYTES / Math.max(atOnce, 1)), LEAST_BYTES);
            if (tookS > SHRINKS_AFTER_S) noteCut();
            else if (tookS >= GROWS_WITHIN_S) bytes = Math.min(bytes, most);
            else if (sent === bytes) bytes = Math.max(bytes, Math.min(bytes * 2, most));
        },
    };
}

async function send(file, { work, device, request, note, giveUp, hasText, size }) {
    const bytes = await file.read();
    const address = `${FILES_PATH}/${uploadId(device, file.sha256)}`;
    const now = { offset: file.offset, isSure: true, hasBegun: file.offset > 0, isOver: false, hasBegunAgain: false };
    if (bytes?.length !== file.size) {
        giveUp(file.sha256);
        await note({ sha256: file.sha256, code: "file_damaged", gained: 0 });
        return;
    }
    while (!now.isOver && !work.stops) {
        try {
            await step();
        } catch (error) {
            if (error instanceof LinkCut || error instanceof NotAnAnswer) {
                if (now.isSure) size.noteCut();
                now.isSure = false;
                await bear(work, error);
            } else if (error instanceof Refused) await obey(error);
            else throw error;
        }
        if (await hasText()) work.stops = true;
    }

    async function step() {
        if (!now.isSure) {
            await standAt(offsetIn(await request("HEAD", address, {}, null)));
            return;
        }
        const chunk = bytes.subarray(now.offset, now.offset + size.bytes);
        const before = now.offset;
        const answer = await handOver(chunk);
        await standAt(offsetIn(answer));
        if (now.offset === before + chunk.length) size.noteArrived(chunk.length, answer.tookS, work.atOnce);
        // It took nothing and does not say why: at once again would go on for ever.
        else if (now.offset <= before) throw new NotAnAnswer();
    }

    function handOver(chunk) {
        const headers = {
            "Content-Type": "application/offset+octet-stream",
            "Upload-Checksum": `sha256 ${toBase64(sha256(chunk))}`,
        };
        if (now.hasBegun) return request("PATCH", address, { ...headers, "Upload-Offset": String(now.offset) }, chunk);
        const metadata = `sha256 ${toBase64(utf8(file.sha256))}`;
        return request("POST", FILES_PATH, { ...headers, "Upload-Length": String(file.size), "Upload-Metadata": metadata }, chunk);
    }

    async function standAt(offset) {
        if (offset > file.size) throw new NotAnAnswer();
        const gained = offset - now.offset;
        Object.assign(now, { offset, isSure: true, hasBegun: true, isOver: offset === file.size });
        if (gained > 0) Object.assign(work, { failures: 0, arrivedAt: performance.now() });
        await note({ sha256: file.sha256, offset, gained });
    }

    async function leave(code) {
        now.isOver = true;
        giveUp(file.sha256);
        if (code) await note({ sha256: file.sha256, code, gained: 0 });
    }

    async function obey(refusal) {
        if (OUT_OF_STEP.has(refusal.code)) {
            now.isSure = false;
            await bear(work, refusal);
        } else if (refusal.code === "file_unwanted" && !now.hasBegun && !now.isSure) {
            // What was to begin it never arrived.
            now.isSure = true;
        } else if (refusal.code === "file_unwanted" && now.hasBegun) await beginAgain();
        else if (refusal.code === "file_differs" && toHex(sha256(bytes)) === file.sha256) await beginAgain();
        else if (refusal.code in OF_THE_FILE) await leave(OF_THE_FILE[refusal.code]);
        else throw refusal;
    }

    /** What was there expired, or was changed on its way; twice in a session it is left alone. */
    async function beginAgain() {
        if (now.hasBegunAgain) {
            await leave(null);
            return;
        }
        Object.assign(now, { offset: 0, isSure: true, hasBegun: false, hasBegunAgain: true });
        await note({ sha256: file.sha256, offset: 0, gained: 0 });
    }
}

function offsetIn({ offset }) {
    if (!Number.isSafeInteger(offset) || offset < 0) throw new NotAnAnswer();
    return offset;
}

/** Wait after a failure, longer each time. Throws it when nothing has arrived for too long. */
async function bear(work, failure) {
    work.failures += 1;
    const pauseS = Math.min(PAUSE_FIRST_S * 2 ** (work.failures - 1), PAUSE_MOST_S);
    if ((performance.now() - work.arrivedAt) / 1000 + pauseS > GIVES_UP_AFTER_S) throw failure;
    await new Promise((resolve) => setTimeout(resolve, pauseS * 1000));
}
