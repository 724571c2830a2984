/** Receipt codes such as `7K4M-2QG`: what a complainant takes home, made on the phone (PROTOCOL §4). */

const ALPHABET = "23456789ACDEFHJKMPQRTXY";
const CHECK_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ";
const BODY_CHARS = 6;

/** A random receipt code; `choose` draws one entry of a list. */
export function newReceipt(choose) {
    const body = Array.from({ length: BODY_CHARS }, () => choose([...ALPHABET])).join("");
    return `${body.slice(0, 4)}-${body.slice(4)}${checkLetter(body)}`;
}

/** The check letter of six characters: it catches each wrong character, and each swap of two neighbours. */
export function checkLetter(body) {
    const total = [...body].reduce((sum, char, at) => sum + (at + 1) * ALPHABET.indexOf(char), 0);
    return CHECK_LETTERS[total % CHECK_LETTERS.length];
}
