/** Carnet: starts, locks, sends, and knows which screen is shown. */

import * as files from "./files.js";
import * as outbox from "./outbox.js";
import { clear, draw, h, show } from "./page.js";
import { expire } from "./received.js";
import { enrolOrHome, screens } from "./screens.js";
import { openStore, writing } from "./store.js";
import { forgetKeys, lookAtVault } from "./vault.js";
import { nameCodes, speak, t } from "./words.js";

export const VERSION = "carnet-web/1";
const USUAL = { language: "fr", lockMinutes: 2, size: "normal", erase: "keep" };
const MINUTE_MS = 60_000;

/**
 * What the screens share. `box` is the open notebook, null while it is locked: `{db, keys, device, sealer,
 * linkageKeys}`. `sending` is the session under way, `stage` where it is, `said` what came of the last one; `leaving` ends
 * what the screen has under way, `hears` has it show how the sending goes.
 */
export const app = {
    db: null,
    box: null,
    settings: USUAL,
    sending: null,
    said: null,
    leaving: null,
    hears: null,
    now: () => new Date(),
};

/** Show a screen by its name; what is under way on the one before is ended first. */
export async function go(name, ...given) {
    await app.leaving?.();
    app.leaving = app.hears = null;
    app.at = [name, ...given];
    if (app.box?.device) await nameCodes();
    await screens[name](...given);
}

/** Lock: nothing readable is left on the screen, in memory or on the way; what is being sent goes on. */
export function lock() {
    const { box } = app;
    clear();
    // Not awaited: what a screen wants to keep it keeps with the keys that it has.
    void Promise.resolve(app.leaving?.()).finally(() => {
        if (!box) return;
        if (app.sending === null) forgetKeys(box.keys);
        else {
            box.keys.reading?.fill(0);
            box.keys.reading = null;
            box.isLocked = true;
        }
    });
    app.box = app.leaving = app.hears = null;
    app.draft = null;
    void screens.unlock().then(updateIfIdle);
}

/** The notebook is open: go on with what waits. */
export async function begin(box) {
    app.box = box;
    const link = await outbox.linkOf(box.db);
    if (box.device) await expire(box.db, link, box.device.keyring.policy?.received_days ?? null, app.now());
    await enrolOrHome();
    if (box.device && navigator.onLine) void send();
}

/** Bring phone and hub together once; the screen that is shown hears of it by `app.hears`. */
export async function send() {
    const { box } = app;
    if (app.sending !== null || !box?.device) return app.sending;
    const page = document.getElementById("page");
    const tell = (stage) => {
        app.stage = stage;
        void app.hears?.();
    };
    page.setAttribute("aria-busy", "true");
    tell({ stage: "texts" });
    app.sending = session(box, tell);
    try {
        app.said = await app.sending;
    } finally {
        app.sending = app.stage = null;
        if (box.isLocked) forgetKeys(box.keys);
    }
    if (app.said.orders.includes("wipe") && app.box === box) lock();
    await app.hears?.();
    page.removeAttribute("aria-busy");
    return app.said;
}

async function session(box, tell) {
    let sync;
    try {
        ({ sync } = await import("./session.js"));
    } catch {
        // The part of the app that sends is not on this phone yet, and there is no link to fetch it by.
        return { isCut: true, code: null, retryAfterS: null, orders: [], sent: 0, arrived: 0, files: 0, log: null };
    }
    return sync(box, { now: app.now, version: VERSION, tell });
}

/** What waits to be sent: how many, how many bytes, and about how many minutes at the rate measured last. */
export async function cost(box) {
    const { rows, counted } = await outbox.waiting(box.db);
    let bytes = 0;
    for (const { seq } of rows) bytes += (await box.db.get("lines", seq))?.length ?? 0;
    const pending = await files.pending(box.db);
    const link = await outbox.linkOf(box.db);
    const all = Math.round(bytes * link.ratio) + pending.bytes;
    return { counted, files: pending.count, bytes: all, minutes: Math.ceil(all / (link.bytesPerS ?? 5000) / 60) };
}

/** Keep settings; none of them says anything of anybody. */
export async function keepSettings(members) {
    app.settings = { ...app.settings, ...members };
    await writing(app.db, ["single"], ({ single }) => single.put(app.settings, "settings"));
    dress();
}

function dress() {
    document.documentElement.dataset.size = app.settings.size;
}

/** A new version takes over where nothing can be lost: while the notebook is locked. */
async function updateIfIdle() {
    const registration = await navigator.serviceWorker?.getRegistration();
    if (app.box === null && app.sending === null) registration?.waiting?.postMessage("take over");
}

function watch() {
    let idle;
    const wake = () => {
        clearTimeout(idle);
        idle = setTimeout(() => app.box && !app.keepsOpen && lock(), app.settings.lockMinutes * MINUTE_MS);
    };
    for (const name of ["pointerdown", "keydown", "input"]) addEventListener(name, wake, { passive: true });
    addEventListener("keydown", (event) => event.key === "Escape" && app.box && lock());
    let leftAt = null;
    document.addEventListener("visibilitychange", () => {
        const isAway = document.visibilityState === "hidden";
        // Neither the list of open apps nor a picture of the screen shows a word.
        document.documentElement.classList.toggle("away", isAway);
        if (isAway) leftAt = app.now();
        else if (app.box && leftAt && app.now() - leftAt > app.settings.lockMinutes * MINUTE_MS) lock();
    });
    addEventListener("online", () => {
        keepRest();
        void send();
    });
    addEventListener("pagehide", () => void app.leaving?.());
    // The first worker to take over changes nothing; a later one brings a new version.
    if (navigator.serviceWorker?.controller) {
        navigator.serviceWorker.addEventListener("controllerchange", () => app.box === null && location.reload());
    }
}

/** Have what comes behind the first part of the app fetched, if it is not there yet. */
const keepRest = () => navigator.serviceWorker?.controller?.postMessage("rest");

async function start() {
    app.db = await openStore();
    app.settings = { ...USUAL, ...(await app.db.get("single", "settings")) };
    dress();
    await Promise.all([draw(), speak(app.settings.language)]);
    watch();
    const { exists } = await lookAtVault(app.db);
    await screens[exists ? "unlock" : "welcome"]();
    keepRest();
    await navigator.serviceWorker?.register("sw.js");
    await updateIfIdle();
}

// Two windows on one notebook would lose what the other writes.
void navigator.locks.request("carnet", { ifAvailable: true }, async (held) => {
    if (held) {
        await start();
        await new Promise(() => {});
    }
    await speak(USUAL.language);
    show({ title: t("page.twice") }, h("p", {}, t("page.twice_hint")));
});
