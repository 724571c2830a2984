/** Steps: what became of a complaint, as codes on the wire and as sentences for people (PROTOCOL §3.8). */

const FILE_NUMBER = /^(?=[^0-9]*[0-9])(?=.{1,40}$)[A-Z0-9]{1,10}(?:[ /._-][A-Z0-9]{1,10})*$/;

/** What a complaint is, in a few words; the code itself where there are none. */
export const statusWords = (code, words) => of(words.status, code) ?? code;

// A code of the hub is none of what every object has.
const of = (table, code) => (Object.hasOwn(table, code) ? table[code] : undefined);

/**
 * Sentences that say a step, without its day; what there are no words for is left out. `words` are the tables of steps
 * in one language, `bodies` the names of bodies.
 */
export function sentences(step, words, bodies) {
    const said = [of(words.template, step.t) ?? filled(words.phrase.unknown, { status: statusWords(step.code ?? step.t, words) })];
    for (const [name, code] of Object.entries(step.f ?? {})) {
        const word = fieldWord(name, code, words, bodies);
        if (word !== undefined) said.push(filled(words.field[name], { word }));
    }
    const coming = of(words.next, step.t);
    if (step.next && coming) said.push(filled(words.phrase.coming, { step: coming, when: between(step, words) }));
    if (step.wait === true) said.push(words.phrase.waits);
    return said;
}

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function fieldWord(name, code, words, bodies) {
    if (of(words.field, name) === undefined) return undefined;
    if (name === "file_number") return FILE_NUMBER.test(code) ? code : undefined;
    return (name === "body" ? of(bodies, code) : undefined) ?? of(words[name] ?? {}, code);
}

/** The window of the next step: « entre le 3 et le 18 décembre ». */
function between({ on, next: [opens, closes] }, words) {
    const [first, last] = [after(on, opens), after(on, closes)];
    const day = (date) => (date.getUTCDate() === 1 ? words.phrase.first_day : String(date.getUTCDate()));
    const month = (date) => words.month[date.getUTCMonth() + 1];
    const ends = { first: day(first), last: day(last), month: month(last), first_month: month(first) };
    if (first.getTime() === last.getTime()) return filled(words.phrase.on_day, ends);
    const isWithin = first.getUTCMonth() === last.getUTCMonth() && first.getUTCFullYear() === last.getUTCFullYear();
    return filled(isWithin ? words.phrase.within_month : words.phrase.across_months, ends);
}

const after = (on, days) => new Date(Date.parse(`${on}T00:00:00Z`) + days * 86_400_000);
