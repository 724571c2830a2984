/** From the answers of a person to the content of a complaint, with the careful defaults. Twin of client_sync/complaint.py. */

const FORM = "complaint/1";
const MINOR_AGES = new Set(["0-4", "5-11", "12-17"]);
// What is always done to children.
const KINDS_OF_MINORS = new Set(["HR-CHR", "HR-CHI"]);
// Somebody is held or gone, by what the kind itself says.
const HELD_KINDS = new Set(["HR-ARR", "HR-DET", "HR-DIS", "HR-ABD"]);
export const NAMED_LEVELS = new Set(["C3", "C4"]);

/**
 * Answers that nothing was said in yet. Codes are those of the vocabulary; `cercle` is the place as the facts show it,
 * `place` the exact one and `said` what the person said, which go with the traces; `incident` is `{from, to?,
 * precision}`; `victims`, `perpetrators` and `others` are persons with `roles`; `files` have a `key` that opens them.
 */
export const noAnswers = () => ({
    danger: null, urgency: {}, narrative: "", narrativeLanguage: null, family: null, kinds: [], region: null,
    cercle: null, places: null, place: null, placeList: null, said: "", when: null, incident: null, perpetrators: [], money: {},
    service: "", victims: [], others: [], consent: { level: null, bodies: [] }, contactOk: null, contact: {},
    name: "", phone: "", files: [], collectedAt: null,
}); // prettier-ignore

/** The content of a complaint entered at `now`; `receipt` is its code, `vocabulary` the lists and families of kinds. */
export function buildComplaint(answers, now, receipt, vocabulary) {
    const facts = {
        ...told(answers),
        confidentiality: careful(told(answers), vocabulary),
        contact_ok: answers.contactOk ?? "unasked",
        entered_at: second(now),
        receipt,
    };
    const parts = {
        facts,
        statement: given({
            narrative: answers.narrative,
            lang: answers.narrative ? answers.narrativeLanguage : null,
            service: answers.service,
        }),
        traces: given({
            place: placeOf(answers.place, answers.placeList),
            said: answers.said,
            media_keys: Object.fromEntries(answers.files.map((file) => [file.sha256, file.key])),
        }),
        identity: identity(answers),
    };
    const compartments = Object.entries(parts).filter(([, part]) => Object.keys(part).length);
    const clear = Object.fromEntries(compartments.map(([name, part]) => [name, { clear: part }]));
    return { form: FORM, vocabulary: vocabulary.version, ...clear };
}

/** Why an emergency card has to be shown, by what was answered so far. */
export function dangers(answers, vocabulary) {
    const facts = told(answers);
    const found = {
        danger: answers.danger === "yes",
        gbv: followsGbvRules(facts, vocabulary),
        child: hasMinor(answers),
        detention: answers.urgency.detained === true || answers.kinds.some((kind) => HELD_KINDS.has(kind)),
    };
    return Object.keys(found).filter((reason) => found[reason]);
}

/** Whether somebody who is not accused is under eighteen, as far as was said. */
export const hasMinor = (answers) => speaksOfMinor(told(answers));

/** Whether money is asked after. */
export const isCorruption = (answers) => answers.family === "corruption";

/** Everybody in the story; the place in this list, from 1, is the number that facts and identity share. */
const personsOf = ({ victims, perpetrators, others, name, phone }) => {
    const hasSpeaker = victims.some((person) => person.roles.includes("complainant"));
    const speaker = !hasSpeaker && (name || phone) ? [{ roles: ["complainant"] }] : [];
    return [...victims, ...perpetrators, ...others, ...speaker];
};

function told(answers) {
    const persons = personsOf(answers).map((person, at) => given({ no: at + 1, ...person }));
    const urgency = given(answers.urgency);
    const hasUrgency = answers.danger !== null || Object.keys(urgency).length > 0;
    return given({
        kinds: answers.kinds.length ? answers.kinds : ["OTH"],
        channel: "in_person",
        relation: answers.victims.some((person) => person.roles.includes("complainant")) ? "victim" : null,
        incident: answers.incident ?? {},
        place: placeOf(answers.cercle ?? answers.region, answers.places),
        persons,
        money: given(answers.money),
        urgency: hasUrgency ? { danger: answers.danger ?? "unknown", ...urgency } : {},
        consent: given({ ...answers.consent, level: answers.consent.level ?? "C0" }),
        collected_at: answers.collectedAt,
        files: answers.files.map(({ sha256, size, kind, role }) => ({ sha256, size, kind, role })),
    });
}

function identity(answers) {
    const at = personsOf(answers).findIndex((person) => person.roles.includes("complainant"));
    const speaker = given({ no: at + 1, name: answers.name, phone: answers.phone });
    const isNamed = at >= 0 && (speaker.name || speaker.phone);
    return given({ persons: isNamed ? [speaker] : [], contact: given(answers.contact) });
}

/** Strict for gbv, minors, witnesses at risk and accused staff of the network; else confidential. */
function careful(facts, vocabulary) {
    const persons = facts.persons ?? [];
    const accusesStaff = persons.some((person) => person.category === "network_staff");
    const isStrict = followsGbvRules(facts, vocabulary) || speaksOfMinor(facts) || hasWitness(facts) || accusesStaff;
    return isStrict ? "strict" : "confidential";
}

const followsGbvRules = (facts, vocabulary) =>
    (facts.kinds ?? []).some((kind) => {
        const known = vocabulary.kind[kind];
        return known !== undefined && (known.family === "gbv" || known.gbv_rules === true);
    });

const speaksOfMinor = (facts) =>
    facts.urgency?.minor === true ||
    (facts.persons ?? []).some((p) => !p.roles.includes("alleged_perpetrator") && MINOR_AGES.has(p.age)) ||
    (facts.kinds ?? []).some((kind) => KINDS_OF_MINORS.has(kind));

/** Whether it was said that a witness is at risk, or one is spoken of where there are danger or reprisals. */
function hasWitness(facts) {
    const isUnsafe = facts.urgency?.danger === "yes" || facts.urgency?.reprisals === true;
    const speaks = (facts.persons ?? []).some((person) => person.roles.includes("witness"));
    return facts.urgency?.witness === true || (isUnsafe && (facts.relation === "witness" || speaks));
}

const placeOf = (id, list) => (id === null ? {} : given({ id, list }));

/** A time as the wire has it, to the second. */
export const second = (time) => `${time.toISOString().slice(0, 19)}Z`;

/** A day as the wire has it, of the phone's own calendar. */
export const dayOf = (time) => {
    const two = (n) => String(n).padStart(2, "0");
    return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
};

/** The members that say something: what was not answered is left out, a plain no is kept. */
const given = (members) =>
    Object.fromEntries(Object.entries(members).filter(([, value]) => !isNothing(value)));

const isNothing = (value) =>
    value === null || value === undefined || value === "" ||
    (typeof value === "object" && Object.keys(value).length === 0); // prettier-ignore
