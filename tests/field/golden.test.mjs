// The golden exchanges, read by the phone: it understands each answer, and writes each frame byte for byte.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
const APP = new URL("../../server/web/field/app/", import.meta.url);
const GOLDEN = new URL("../../fixtures/protocol/v1/", import.meta.url);
const part = (name) => import(new URL(`protocol/${name}.js`, APP));

const { readAnswer } = await part("answers");
const { holdAgainst } = await part("anchors");
const { fromText, fromUtf8, toHex, toText, utf8 } = await part("bytes");
const { canonical, parse } = await part("canonical");
const { encodeFrame, headerLine, isSigned, frameDigest, publicOf, signer } = await part("frames");
const { keyId, readKeyring, readersFor, sealedCompartments } = await part("keyring");
const { orderOf } = await part("orders");
const { openEnvelope, openPart, openRecordKey, boxPublic, Unopenable } = await part("seal");

const fromHex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const read = (name) => JSON.parse(readFileSync(new URL(name, GOLDEN), "utf-8"));
const exchanges = readdirSync(GOLDEN).filter((name) => name.endsWith(".json")).map((name) => [name, read(name)]);
const synced = (exchange) =>
    exchange.steps.filter((step) => step.request?.path === "/api/v1/sync" && step.answer.status === 200);

/** Frames of a body, as `{header, lines, text, sig}`. */
function frames(lines) {
    const found = [];
    let open = [];
    for (const line of lines) {
        open.push(line);
        const members = line.endsWith("\n") ? JSON.parse(line) : {};
        if ("end" in members && "sig" in members) {
            const [head, ...records] = open.slice(0, -1);
            found.push({ head, records, text: open.join(""), sig: members.sig });
            open = [];
        }
    }
    return found;
}

for (const [name, exchange] of exchanges) {
    const steps = synced(exchange);
    if (!steps.length) continue;

    test(`${name}: every answer is understood`, () => {
        for (const { answer: { body } } of steps) {
            const answer = readAnswer(body);
            assert.deepEqual(answer.reports.map((each) => each.frame), (body.frames ?? []).map((each) => each.frame));
            assert.deepEqual([answer.position, answer.cursor], [body.position ?? null, body.cursor ?? null]);
            assert.equal(answer.changes.length, (body.changes ?? []).length);
            for (const [at, report] of (body.frames ?? []).entries()) {
                for (const named of report.named ?? []) {
                    assert.equal(answer.reports[at].verdict(named.at).verdict, named.verdict);
                }
            }
        }
    });

    test(`${name}: frames are written as they stand`, () => {
        const keys = Object.fromEntries(exchange.devices.map((each) => [each.id, fromHex(each.sign_seed)]));
        let written = 0;
        for (const frame of steps.flatMap(({ request }) => frames(request.lines ?? []))) {
            const bare = (line) => utf8(line.replace(/\n$/, ""));
            const lines = frame.records.map(bare);
            const { seere, ...header } = JSON.parse(frame.head);
            const seed = keys[header.device];
            const digest = frameDigest(utf8(frame.head), lines);
            // What a frame that can't be trusted looks like is not a phone's to write.
            if (!seed || !isSigned(digest, fromText(frame.sig), publicOf(seed))) continue;
            assert.equal(seere, 1);
            assert.equal(fromUtf8(headerLine(header)), frame.head);
            assert.equal(fromUtf8(encodeFrame(header, lines, signer(seed))), frame.text);
            written += 1;
        }
        if (steps.some(({ request }) => request.lines)) assert.ok(written > 0);
    });
}

test("orders of this hub for this phone are trusted, and no others", () => {
    const exchange = read("order.json");
    const orders = synced(exchange).flatMap(({ answer }) => answer.body.orders ?? []);
    assert.ok(orders.length > 0);
    const hubSignKey = fromText(exchange.hub.sign_key);
    for (const signed of orders) {
        const device = { device: signed.order.device, hubSignKey, keyring: { administrators: [] } };
        const expected = signed.order.kind === "wipe" ? null : signed.order;
        assert.deepEqual(orderOf(signed, device), expected);
        assert.equal(orderOf(signed, { ...device, device: exchange.hub.id }), null);
        assert.equal(orderOf({ ...signed, order: { ...signed.order, no: signed.order.no + 1 } }, device), null);
    }
});

test("anchors are held against what was seen", () => {
    const exchange = read("anchor.json");
    const device = { hub: exchange.hub.id, hubSignKey: fromText(exchange.hub.sign_key) };
    let kept = null;
    const outcomes = [];
    for (const { answer } of synced(exchange)) {
        if (!answer.body.anchor) continue;
        const held = holdAgainst(kept, answer.body.anchor, device);
        outcomes.push(held.outcome);
        assert.equal(holdAgainst(kept, { ...answer.body.anchor, sig: toText(new Uint8Array(64)) }, device).outcome, "differs");
        kept = held.kept;
    }
    assert.ok(outcomes.length > 0);
    assert.ok(outcomes.every((outcome) => outcome === "grown"), outcomes.join());
});

const SEALED = read("sealing/sealed.json");
const [COMPLAINT, LINKAGE] = SEALED.lines.map((line) => JSON.parse(line));
const COMPARTMENTS = ["identity", "traces", "statement"].filter((name) => COMPLAINT.content[name]?.box);
const privateOf = (who) => fromHex(SEALED.readers[who]);

test("the keyring names who may open a complaint", () => {
    const root = publicOf(fromHex(SEALED.root_seed));
    const keyring = readKeyring(JSON.parse(SEALED.keyring), root);
    const readers = readersFor(keyring, { region: "ml-r-gao", team: "gao", partner: null, isStrict: false });
    assert.deepEqual(new Set(readers.map((each) => each.kid)), new Set(Object.keys(COMPLAINT.content.seal.keys)));
    assert.deepEqual(keyring.linkage, boxPublic(fromHex(SEALED.linkage_key)));
    assert.deepEqual(sealedCompartments(keyring, true), ["identity", "traces", "statement"]);
    const changed = JSON.parse(SEALED.keyring);
    changed.keyring.version += 1;
    assert.throws(() => readKeyring(changed, root), /keyring_signature/);
    assert.throws(() => readKeyring(JSON.parse(SEALED.keyring), publicOf(new Uint8Array(32))), /keyring_signature/);
});

for (const who of SEALED.may_open) {
    test(`${who} opens what is sealed`, async () => {
        const kid = keyId(boxPublic(privateOf(who)));
        const recordKey = openRecordKey(fromText(COMPLAINT.content.seal.keys[kid]), privateOf(who));
        const binding = { record: COMPLAINT.id, lineage: SEALED.lineage };
        for (const name of COMPARTMENTS) {
            const box = fromText(COMPLAINT.content[name].box);
            assert.deepEqual(parse(await openPart(box, recordKey, name, binding)), SEALED.clear[name]);
            await assert.rejects(openPart(box, recordKey, name, { ...binding, lineage: COMPLAINT.id }), Unopenable);
        }
    });
}

test("the linkage opens with the hub's key", async () => {
    const opened = await openEnvelope(fromText(LINKAGE.content.box), fromHex(SEALED.linkage_key));
    assert.deepEqual(parse(opened), SEALED.linkage);
});

test("a task opens for its phone", async () => {
    const task = read("sealing/task.json");
    assert.deepEqual(parse(await openEnvelope(fromText(task.box), fromHex(task.box_seed))), task.details);
    assert.equal(toHex(canonical(JSON.parse(task.line))), toHex(utf8(task.line)));
});
