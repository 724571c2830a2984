/** The road to the hub: one request at a time, given up when nothing moves on it. */

export const STALL_S = 30;
const UPLOAD_STALL_S = 15;

/** No whole answer came. */
export class LinkCut extends Error {}
/** Something else than a hub answered. */
export class NotAnAnswer extends Error {}
/** The hub read nothing and said why. */
export class Refused extends Error {
    constructor(code, retryAfterS = null) {
        super(code);
        this.code = code;
        this.retryAfterS = retryAfterS;
    }
}

/**
 * Send one request; gives `{status, offset, members, content, tookS}`. Raises LinkCut when no byte moved for `stallS` or
 * no whole answer came, NotAnAnswer, and Refused.
 *
 * XMLHttpRequest, since it alone tells how far a body has left: a slow link is not a stalled one.
 */
export function send(method, path, body, headers, stallS = STALL_S) {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        const began = performance.now();
        let silence;
        const moves = () => {
            clearTimeout(silence);
            silence = setTimeout(() => request.abort(), stallS * 1000);
        };
        request.open(method, path);
        for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
        request.responseType = "arraybuffer";
        request.upload.onprogress = request.onprogress = request.onreadystatechange = moves;
        request.onerror = request.onabort = () => {
            clearTimeout(silence);
            reject(new LinkCut());
        };
        request.onload = () => {
            clearTimeout(silence);
            try {
                resolve({ ...understood(method, request), tookS: (performance.now() - began) / 1000 });
            } catch (error) {
                reject(error);
            }
        };
        moves();
        request.send(body);
    });
}

/** Send a body of frames; gives the members of the answer. */
export async function sync({ data, coding }, token) {
    const headers = { "Content-Type": "application/x-ndjson", "Content-Encoding": coding, ...bearer(token) };
    const { members } = await send("POST", "/api/v1/sync", data, headers);
    if (!members?.now) throw new NotAnAnswer();
    return members;
}

/** Ask to be enrolled; gives what the hub admits the phone with. */
export async function enrol(application) {
    const headers = { "Content-Type": "application/json" };
    const { members } = await send("POST", "/api/v1/enrol", JSON.stringify(application), headers);
    if (!members) throw new NotAnAnswer();
    return members;
}

/** Post a carried parcel; gives the sealed reply for its author. */
export const parcel = async (bytes, token) =>
    (await send("POST", "/api/v1/parcels", bytes, { "Content-Type": "application/octet-stream", ...bearer(token) }))
        .content;

/** A request of the upload protocol, as `protocol/uploads.js` wants it. */
export const uploading = (token) => (method, path, headers, body) =>
    send(method, path, body, { "Tus-Resumable": "1.0.0", ...headers, ...bearer(token) }, UPLOAD_STALL_S);

const bearer = (token) => ({ Authorization: `Bearer ${token}` });

// An answer to a HEAD has no body that could say it.
const BARE = { 404: "file_unwanted" };

function understood(method, request) {
    const content = new Uint8Array(request.response ?? 0);
    const members = membersOf(content);
    if ([200, 201, 204].includes(request.status)) {
        const offset = request.getResponseHeader("Upload-Offset");
        return { status: request.status, members, content, offset: offset === null ? null : Number(offset) };
    }
    const code = members?.code ?? (method === "HEAD" ? BARE[request.status] : undefined);
    if (typeof code !== "string") throw new NotAnAnswer();
    const isBusy = request.status === 429 || request.status >= 500;
    throw new Refused(code.slice(0, 100), isBusy ? Number(members?.retry_after_s ?? 60) : null);
}

function membersOf(content) {
    try {
        const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
        return value && typeof value === "object" && !Array.isArray(value) ? value : null;
    } catch {
        return null;
    }
}
