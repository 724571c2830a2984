/** Documents that the hub gave along with the app: lists of codes, words and places. */

const kept = new Map();

/** A document by its name, such as `vocabulary`; kept in memory once it was read. */
export async function document(name) {
    if (!kept.has(name)) kept.set(name, (await fetch(`${name}.json`)).json());
    return kept.get(name);
}
