/** Types of files, found from their bytes and never from a name (PROTOCOL §9.1). */

const KINDS = {
    "image/jpeg": "photo", "image/png": "photo", "image/heic": "photo", "application/pdf": "document",
    "audio/mp4": "audio", "audio/amr": "audio", "audio/ogg": "audio", "audio/webm": "audio",
    "video/mp4": "video", "video/3gpp": "video",
}; // prettier-ignore
const PAGES = /<html|<!doctype html|<script|<svg|<iframe|<body|<\?php/i;
const LOOKED_AT = 4096;
const ARCHIVE_END = [0x50, 0x4b, 5, 6, 0, 0, 0, 0];
const ARCHIVE_TAIL = 22 + 65_535;

/** A file that no phone takes in. */
export class NotTaken extends Error {
    constructor(code) {
        super(code);
        this.code = code;
    }
}

/** The type of a file and its kind; throws NotTaken `file_empty`, `file_type`, `file_mixed`. */
export function recognise(bytes) {
    if (!bytes.length) throw new NotTaken("file_empty");
    const beginning = latin(bytes.subarray(0, LOOKED_AT));
    const type = typeOf(beginning);
    if (type === null) throw new NotTaken("file_type");
    const isSecondPdf = type !== "application/pdf" && beginning.includes("%PDF-");
    if (PAGES.test(beginning) || isSecondPdf || endsAsArchive(bytes)) throw new NotTaken("file_mixed");
    return { type, kind: KINDS[type] };
}

const latin = (bytes) => String.fromCharCode(...bytes);

function typeOf(beginning) {
    if (beginning.startsWith("\xff\xd8\xff")) return "image/jpeg";
    if (beginning.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
    if (/^%PDF-\d/.test(beginning)) return "application/pdf";
    if (/^#!AMR(-WB)?\n/.test(beginning)) return "audio/amr";
    if (beginning.startsWith("OggS")) return /OpusHead|\x01vorbis|Speex {3}/.test(beginning) ? "audio/ogg" : null;
    if (beginning.startsWith("\x1a\x45\xdf\xa3")) return beginning.includes("webm") && !/V_(VP|AV1|MPEG|THEORA)/.test(beginning) ? "audio/webm" : null;
    if (beginning.slice(4, 8) === "ftyp") return isoType(beginning);
    return null;
}

/** ISO base media: what it is follows from its brand, and whether there is a film from its first tracks. */
function isoType(beginning) {
    const brand = beginning.slice(8, 12);
    if (/^hei[cxms]|^hev[cx]|^mif1|^msf1/.test(brand)) return "image/heic";
    if (brand.startsWith("3gp")) return "video/3gpp";
    if (/^M4A|^M4B/.test(brand)) return "audio/mp4";
    if (!/^iso|^mp4|^avc1|^M4V|^dash|^MSNV/.test(brand)) return null;
    return beginning.includes("soun") && !beginning.includes("vide") ? "audio/mp4" : "video/mp4";
}

function endsAsArchive(bytes) {
    const start = Math.max(0, bytes.length - ARCHIVE_TAIL);
    for (let at = bytes.length - 22; at >= start; at -= 1) {
        if (ARCHIVE_END.every((byte, n) => bytes[at + n] === byte)) {
            if (at + 22 + bytes[at + 20] + bytes[at + 21] * 256 <= bytes.length) return true;
        }
    }
    return false;
}
