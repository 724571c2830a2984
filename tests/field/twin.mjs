// What the phone makes of what Python hands it: one JSON object a line in, one a line out, bytes as base64url.

import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline";

globalThis.crypto ??= webcrypto;
const part = (name) => import(new URL(`../../server/web/field/app/${name}.js`, import.meta.url));
const { fromText, fromUtf8, toText, utf8 } = await part("protocol/bytes");
const { canonical, parse } = await part("protocol/canonical");
const { sealFile, openFile } = await part("protocol/fileSeal");
const { linkageKeys, fold } = await part("protocol/linkage");
const { boxPublic, openEnvelope, openPart, openRecordKey, seal, sealTo } = await part("protocol/seal");
const { isStrict } = await part("protocol/sealing");
const { sentences } = await part("protocol/steps");
const { buildComplaint, noAnswers } = await part("complaint");
const { checkLetter } = await part("protocol/receipts");
const { normalCode, sixWords } = await part("protocol/enrolment");
const { isConsistent } = await part("protocol/anchors");
const { uploadId } = await part("protocol/uploads");
const { recognise } = await part("protocol/media");

const texts = (members) => Object.fromEntries(Object.entries(members).map(([name, bytes]) => [name, toText(bytes)]));

const TASKS = {
    canonical: ({ value }) => toText(canonical(value)),
    seal({ parts, readers, binding }) {
        const clear = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, canonical(value)]));
        const sealed = seal(clear, readers.map((each) => ({ kid: each.kid, public: fromText(each.public) })), binding);
        return { boxes: texts(sealed.boxes), keys: texts(sealed.keys) };
    },
    async open({ boxes, key, privateKey, binding }) {
        const recordKey = openRecordKey(fromText(key), fromText(privateKey));
        const opened = {};
        for (const [name, box] of Object.entries(boxes)) {
            opened[name] = parse(await openPart(fromText(box), recordKey, name, binding));
        }
        return opened;
    },
    envelope: ({ publicKey, value }) => toText(sealTo(fromText(publicKey), canonical(value))),
    openEnvelope: async ({ box, privateKey }) => parse(await openEnvelope(fromText(box), fromText(privateKey))),
    async sealFile({ data, name }) {
        const { sealed, ...said } = await sealFile(fromText(data), { name, takenAt: "2026-11-21T10:00:00Z" });
        return { ...said, sealed: toText(sealed) };
    },
    async openFile({ sealed, key }) {
        const { bytes, ...said } = await openFile(fromText(sealed), fromText(key));
        return { ...said, data: toText(bytes) };
    },
    linkage: ({ content, pivot }) => linkageKeys(content, pivot),
    fold: ({ text }) => fold(text),
    sentences: ({ step, words, bodies }) => sentences(step, words, bodies),
    complaint: ({ answers, now, receipt, vocabulary }) =>
        buildComplaint({ ...noAnswers(), ...answers }, new Date(now), receipt, vocabulary),
    isStrict: ({ facts, vocabulary }) => isStrict(facts, vocabulary),
    checkLetter: ({ body }) => checkLetter(body),
    normalCode: ({ text }) => normalCode(text),
    words: ({ hubSignKey, root, sign, box, list }) =>
        sixWords(fromText(hubSignKey), fromText(root), fromText(sign), fromText(box), list),
    publicOf: ({ privateKey }) => toText(boxPublic(fromText(privateKey))),
    consistent: ({ first, firstRoot, second, secondRoot, proof }) =>
        isConsistent(first, fromText(firstRoot), second, fromText(secondRoot), fromText(proof)),
    uploadId: ({ device, sha256 }) => uploadId(device, sha256),
    recognise: ({ data }) => recognise(fromText(data)),
    echo: ({ text }) => fromUtf8(utf8(text)),
};

for await (const line of createInterface({ input: process.stdin })) {
    const { task, ...given } = JSON.parse(line);
    let answer;
    try {
        answer = { value: await TASKS[task](given) };
    } catch (error) {
        answer = { error: error.code ?? error.constructor.name, message: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
}
