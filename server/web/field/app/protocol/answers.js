/** What a hub said, checked before anything on the phone changes (PROTOCOL §3.5). */

import { NotAnAnswer } from "../road.js";

const RETRY_MOST_S = 86_400;
const VERDICTS = new Set(["stored", "already_held", "conflict", "held", "quarantined", "rejected"]);
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const SHA256 = /^[0-9a-f]{64}$/;
const RECORDS_MOST = 2000;
const NEED_MOST = 100;

/** The answer in the members of a JSON document; throws NotAnAnswer for one that a hub would not give. */
export function readAnswer(members) {
    if (!isObject(members) || !TIME.test(members.now)) throw new NotAnAnswer();
    const now = new Date(members.now);
    const { epoch } = members;
    if (Number.isNaN(now.getTime()) || typeof epoch !== "string" || !epoch || epoch.length > 64) throw new NotAnAnswer();
    const wait = number(members.retry_after_s);
    return {
        now,
        epoch,
        position: number(members.position),
        reports: list(members.frames).map(report),
        changes: list(members.changes, isObject),
        cursor: text(members.cursor),
        hasMore: members.more === true,
        isReset: typeof members.reset === "string",
        backedUpTo: number(members.backed_up_to),
        orders: list(members.orders, isObject),
        retryAfterS: wait === null ? null : Math.min(wait, RETRY_MOST_S),
        rolledBack: number(members.rolled_back),
        anchor: isObject(members.anchor) ? members.anchor : null,
        need: list(members.need, (each) => isObject(each) && SHA256.test(each.sha256) && number(each.offset) !== null).slice(0, NEED_MOST),
    };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function list(value, isSound = () => true) {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value) || !value.every(isSound)) throw new NotAnAnswer();
    return value;
}

function number(value) {
    if (value === undefined || value === null) return null;
    if (!Number.isSafeInteger(value) || value < 0) throw new NotAnAnswer();
    return value;
}

function text(value) {
    if (value === undefined || value === null) return null;
    if (typeof value !== "string" || !value || value.length > 256) throw new NotAnAnswer();
    return value;
}

const STORED = { verdict: "stored", code: null, field: null };

function report(each) {
    if (!isObject(each)) throw new NotAnAnswer();
    const [frame, n] = [number(each.frame), number(each.n) ?? 0];
    const named = new Map(list(each.named).map((one) => [number(one?.at), verdict(one)]));
    if (frame === null || n > RECORDS_MOST || [...named.keys()].some((at) => at === null || at >= n)) throw new NotAnAnswer();
    const unread = typeof each.unread === "string" ? each.unread.slice(0, 100) : null;
    return { frame, n, unread, verdict: (at) => named.get(at) ?? STORED };
}

function verdict({ verdict: name, code = null, field = null }) {
    if (!VERDICTS.has(name)) throw new NotAnAnswer();
    const shown = (value) => (typeof value === "string" ? value.slice(0, 100) : null);
    return { verdict: name, code: shown(code), field: shown(field) };
}
