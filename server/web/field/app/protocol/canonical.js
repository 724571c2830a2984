/** Canonical JSON: every hash and signature of the protocol is over these bytes (PROTOCOL §2). */

import { fromUtf8, utf8 } from "./bytes.js";

const DEPTH_MAX = 32;

/** Canonical JSON of a value; throws for a lone surrogate, a number that is no integer of the wire, or depth. */
export const canonical = (value) => utf8(written(value, 1));

function written(value, depth) {
    if (value === null || typeof value === "boolean") return String(value);
    if (typeof value === "string") return quoted(value);
    if (typeof value === "number") {
        if (!Number.isSafeInteger(value)) throw new RangeError("json_number");
        return String(value);
    }
    if (depth > DEPTH_MAX) throw new RangeError("json_depth");
    if (Array.isArray(value)) return `[${value.map((each) => written(each, depth + 1)).join(",")}]`;
    const members = Object.keys(value)
        .filter((name) => value[name] !== undefined)
        .sort(byCodePoint)
        .map((name) => `${quoted(name)}:${written(value[name], depth + 1)}`);
    return `{${members.join(",")}}`;
}

function quoted(text) {
    if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)) {
        throw new RangeError("text_surrogate");
    }
    return JSON.stringify(text);
}

/** The order of code points: that of UTF-16 puts what lies above U+FFFF before some of what lies below. */
export function byCodePoint(one, other) {
    const [a, b] = [Array.from(one), Array.from(other)];
    for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
        const difference = a[at].codePointAt(0) - b[at].codePointAt(0);
        if (difference) return difference;
    }
    return a.length - b.length;
}

/** The JSON value in bytes; throws for what is none. */
export const parse = (bytes) => JSON.parse(fromUtf8(bytes));
