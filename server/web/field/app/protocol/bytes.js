/** Bytes: texts of the wire, hashes and random numbers. */

import { sha256 } from "../vendor/libraries.js";

export { sha256 };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A text as UTF-8. */
export const utf8 = (text) => encoder.encode(text);

/** The text in UTF-8 bytes; throws for what is none. */
export const fromUtf8 = (bytes) => decoder.decode(bytes);

/** Bytes one after the other. */
export function concat(...parts) {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        all.set(part, at);
        at += part.length;
    }
    return all;
}

/** So many random bytes. */
export const random = (count) => crypto.getRandomValues(new Uint8Array(count));

/** Whether two texts of bytes are the same. */
export const equal = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

/** Hexadecimal digits. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const binary = (bytes) => {
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return text;
};

/** Bytes as text of the wire: base64url without padding. */
export const toText = (bytes) => btoa(binary(bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** The bytes behind `toText`; none for what is no such text. */
export function fromText(text) {
    try {
        return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    } catch {
        return new Uint8Array();
    }
}

/** Bytes as base64 with its padding, as the upload protocol wants it. */
export const toBase64 = (bytes) => btoa(binary(bytes));
