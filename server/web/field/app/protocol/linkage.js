/** Linkage: what the search for duplicates needs of a complaint, cut as every client cuts it (PROTOCOL §4.3, scheme 1). */

import { nacl } from "../vendor/libraries.js";
import { sha256, toHex, toText, utf8 } from "./bytes.js";
import { byCodePoint } from "./canonical.js";

const STEM_CHARS = 6;
const PLAIN = { ɛ: "e", ɔ: "o", ɲ: "ny", ŋ: "ng" };
const WORD = /[\p{L}\p{N}]+/gu;
const TOKEN = /[\p{L}\p{N}](?:[\p{L}\p{N}]|[\u0300-\u036f]|['’-](?=[\p{L}\p{N}]))*/gu;
const NUMBER = /\+?[0-9](?:[ .\-/]?[0-9]){7,14}/g;
// A digit is one in any script, as people of several write here.
const DATE = /(?<![\p{Nd}/.-])(\p{Nd}{1,2})[/.-](\p{Nd}{1,2})(?:[/.-](?:20)?\p{Nd}{2})?(?![/.-]?\p{Nd})/gu;
const YEAR_FIRST = /(?<!\p{Nd})20\p{Nd}{2}-(\p{Nd}{2})-(\p{Nd}{2})(?!\p{Nd})/gu;
const ORDINAL = /^(\p{Nd}{1,2})(?:er|ere|eme|e|st|nd|rd|th)?$/u;
const SUM =
    /(?<![\p{Nd}.,])(?<!\p{Nd}[ -])([1-9]\p{Nd}{0,2}(?:[ .,]\p{Nd}{3})+|[1-9]\p{Nd}{2,8})(?![ .,-]?\p{Nd})/gu;
// What separates words of a name: all that is space, and the separators of old machines.
const SPACES = /(?:(?!\ufeff)[\s\x1c-\x1f\x85])+/;
const ENDS_SENTENCE = /[.!?:;\n«»"“”()]/;
const SAME_PLACE = 16;

/** Lower case without accents, the letters of Bambara as they are typed without them. */
export const fold = (text) =>
    text
        .normalize("NFKD")
        .replace(/[\u0300-\u036f]/g, "")
        .toLowerCase()
        .replace(/[ɛɔɲŋ]/g, (letter) => PLAIN[letter]);

/** What is compared of the clear compartments of a complaint, by compartment. `pivot` are the lists of the scheme. */
export function linkageKeys(content, pivot) {
    const lists = listsOf(pivot);
    const cut = { identity, statement, traces };
    const names = Object.keys(cut).filter((name) => name in content);
    return Object.fromEntries(names.map((name) => [name, cut[name](content[name].clear, lists)]));
}

let known = null;

function listsOf(pivot) {
    if (known?.pivot === pivot) return known;
    const concepts = new Map();
    for (const [concept, words] of Object.entries(pivot.concept)) {
        for (const word of words) concepts.set(beginning(fold(word), STEM_CHARS), `=${concept}`);
    }
    const months = new Map(pivot.months.flatMap((words, at) => words.map((word) => [fold(word), at + 1])));
    const folded = (words) => new Set(words.map(fold));
    known = {
        pivot, concepts, months, grammar: folded(pivot.grammar), also: new Set(pivot.also_words),
        joints: folded(pivot.day_joints), first: folded(pivot.first),
    }; // prettier-ignore
    return known;
}

const beginning = (text, count) => Array.from(text).slice(0, count).join("");

function identity({ persons = [], contact = {} }) {
    const names = persons.filter((person) => person.name).map((person) => [person.no, beginning(spaced(person.name), 60)]);
    const told = [...persons.map((person) => person.phone ?? ""), ...Object.values(contact)];
    const phones = told.flatMap((text) => text.match(NUMBER) ?? []).map((number) => number.replace(/[^0-9]/g, "").slice(-8));
    return given({ names: names.slice(0, 32), phones: [...new Set(phones)].sort().slice(0, 32) });
}

const spaced = (name) => name.normalize("NFC").split(SPACES).filter(Boolean).join(" ");

/** The number that digits of any script make: those of a script stand together, from nought to nine. */
const numberOf = (digits) =>
    Number(
        Array.from(digits, (digit) => {
            let value = 0;
            while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(digit.codePointAt(0) - value - 1))) value += 1;
            return value;
        }).join(""),
    );

function statement({ narrative = "" }, lists) {
    const words = wordsOf(narrative);
    return given({
        names: namesIn(narrative, lists),
        days: daysIn(narrative, lists),
        sums: sumsIn(narrative),
        pivots: pivotsOf(words, lists),
        minhash: toText(minhashOf(words)),
    });
}

const traces = ({ said = "", place = {} }) => given({ place: place.id, said: beginning(wordsOf(said).join(" "), 120) });

const given = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value?.length));

const wordsOf = (text) => fold(text).match(WORD) ?? [];

function namesIn(narrative, { grammar }) {
    const found = new Set();
    for (const { begins: atBegin, run: all } of capitalised(narrative.normalize("NFC"))) {
        let [begins, run] = [atBegin, all];
        while (run.length && grammar.has(fold(run[0]))) [begins, run] = [false, run.slice(1)];
        if (run.length > 1 || (run.length === 1 && !begins && Array.from(run[0]).length > 2)) {
            found.add(beginning(run.slice(0, 4).join(" "), 60));
        }
    }
    return [...found].slice(0, 16);
}

const isUpper = (letter) => /^\p{Uppercase}/u.test(letter ?? "");
const isLower = (text) => /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text);
const firstOf = (text) => Array.from(text)[0];

/** Each run of capitalised words with one space between them, and whether a sentence begins with it. */
function capitalised(narrative) {
    const runs = [];
    let run = [];
    let begins = true;
    let end = 0;
    for (const match of narrative.matchAll(TOKEN)) {
        const [token] = match;
        const [gap, word] = [narrative.slice(end, match.index), withoutElision(token)];
        const starts = isUpper(firstOf(word));
        if (run.length && (gap !== " " || word !== token || !starts)) {
            runs.push({ begins, run });
            run = [];
        }
        if (starts) {
            if (!run.length) begins = word === token && (end === 0 || ENDS_SENTENCE.test(gap));
            run.push(word);
        }
        end = match.index + token.length;
    }
    if (run.length) runs.push({ begins, run });
    return runs;
}

/** `d'Awa` is Awa; `N'Diaye` is a name. */
function withoutElision(word) {
    const [before, ...after] = word.replaceAll("’", "'").split("'");
    const rest = after.join("'");
    return rest && isLower(before) && isUpper(firstOf(rest)) ? rest : word;
}

function daysIn(narrative, { months, also, joints, first }) {
    const text = fold(narrative);
    const found = new Set();
    for (const [, day, month] of text.matchAll(DATE)) found.add(dayOf(numberOf(month), numberOf(day)));
    for (const [, month, day] of text.matchAll(YEAR_FIRST)) found.add(dayOf(numberOf(month), numberOf(day)));
    const words = text.match(WORD) ?? [];
    const among = ([nearest, ...rest]) => {
        const word = joints.has(nearest) ? rest[0] : nearest;
        if (word !== undefined && first.has(word)) return 1;
        return numberOf(word?.match(ORDINAL)?.[1] ?? "0");
    };
    for (const [at, word] of words.entries()) {
        if (!months.has(word)) continue;
        const after = words.slice(at + 1, at + 3);
        const told = [among(words.slice(Math.max(at - 2, 0), at).reverse()), among(after)];
        if (joints.has(after[0])) told.reverse();
        const day = told[0] || told[1];
        if (day || !also.has(word)) found.add(dayOf(months.get(word), day));
    }
    found.delete("");
    return [...found].sort().slice(0, 8);
}

/** Nothing where there is no such day. */
function dayOf(month, day) {
    if (month < 1 || month > 12 || day > 31) return "";
    const two = (number) => String(number).padStart(2, "0");
    return day ? `${two(month)}-${two(day)}` : two(month);
}

function sumsIn(narrative) {
    const found = new Set();
    for (const [, told] of fold(narrative).matchAll(SUM)) found.add(numberOf(told.replace(/[ .,]/g, "")));
    const sums = [...found].filter((sum) => sum < 1900 || sum > 2099);
    return sums.sort((a, b) => a - b).slice(-8);
}

function pivotsOf(words, { concepts, grammar }) {
    const tokens = new Set(words.map((word) => {
        const stem = beginning(word, STEM_CHARS);
        return concepts.get(stem) ?? (Array.from(word).length < 4 || grammar.has(word) ? "" : stem);
    })); // prettier-ignore
    tokens.delete("");
    const hashed = [...tokens].map((token) => [toHex(sha256(utf8(token))), token]).sort();
    return hashed.slice(0, 64).map(([, token]) => token).sort(byCodePoint); // prettier-ignore
}

/** Sixteen minima of 4 bytes over runs of three words; nothing without words. */
function minhashOf(words) {
    const shingles = new Set();
    for (let at = 0; at <= Math.max(words.length - 3, 0); at += 1) shingles.add(words.slice(at, at + 3).join(" "));
    shingles.delete("");
    if (!shingles.size) return new Uint8Array();
    const hashes = Array.from(shingles, (shingle) => toHex(nacl.hash(utf8(shingle))));
    const places = Array.from({ length: SAME_PLACE }, (_, at) => hashes.map((hash) => hash.slice(at * 8, at * 8 + 8)).sort()[0]);
    return Uint8Array.from(places.join("").match(/../g), (pair) => parseInt(pair, 16));
}
