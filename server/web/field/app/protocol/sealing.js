/** Sealing at finalise: from then on a complaint opens for its readers, and not on this phone (PROTOCOL §4). */

import { toText } from "./bytes.js";
import { canonical } from "./canonical.js";
import { readersFor, sealedCompartments } from "./keyring.js";
import { seal, sealTo } from "./seal.js";

const REPORT = "report";
const SCHEME = 1;
// Operations that change nothing of what is compared.
const UNLINKED = new Set(["answer", "task_done"]);
/** Of a complaint that nothing is known of here: what speaks of it opens for named readers alone. */
export const UNKNOWN_SCOPE = { region: null, isStrict: true };

/** Whether named readers alone may see a complaint with these facts, whatever it calls itself. */
export const isStrict = (facts, vocabulary) =>
    (facts.confidentiality ?? "strict") === "strict" || facts.kinds.some((kind) => asksForCare(vocabulary.kind[kind]));

const asksForCare = (kind) => kind !== undefined && (kind.family === "gbv" || kind.gbv_rules === true);

/**
 * The content of an operation with the compartments sealed that the keyring says. `id` is that of the operation, `scope`
 * `{region, isStrict, elsewhere?}`, `sealer` `{keyring, lineage, team, partner}`. Throws where nobody could read it.
 */
export function sealContent(id, content, scope, sealer) {
    const { region, isStrict, elsewhere } = scope ?? UNKNOWN_SCOPE;
    const names = [...sealedCompartments(sealer.keyring, isStrict), REPORT].filter((name) => name in content);
    if (!names.length) return content;
    const [team, partner] = elsewhere ?? [sealer.team, sealer.partner];
    const readers = readersFor(sealer.keyring, { region, team, partner, isStrict });
    const texts = Object.fromEntries(names.map((name) => [name, canonical(content[name].clear)]));
    const { boxes, keys } = seal(texts, readers, { record: id, lineage: sealer.lineage });
    const written = Object.fromEntries(Object.entries(boxes).map(([name, box]) => [name, { box: toText(box) }]));
    const sealed = Object.fromEntries(Object.entries(keys).map(([kid, key]) => [kid, toText(key)]));
    return { ...content, ...written, seal: { v: 1, keys: sealed } };
}

/**
 * The content of the `linkage` that goes along with an operation, made from its clear content; null for one that changes
 * nothing of what is compared. `linkageKeys(content)` cuts what is compared.
 */
export function linkageOf(op, id, content, sealer, linkageKeys) {
    const keys = UNLINKED.has(op) ? {} : linkageKeys(content);
    if (!Object.keys(keys).length) return null;
    const about = op === "complaint" ? { complaint: id } : given(content);
    const box = sealTo(sealer.keyring.linkage, canonical({ ...keys, complaint: about.complaint, lineage: sealer.lineage }));
    return { ...about, v: SCHEME, box: toText(box) };
}

const given = ({ complaint, lineage }) => (lineage === undefined ? { complaint } : { complaint, lineage });
