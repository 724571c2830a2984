/** The screens by their names. */

import { app } from "./app.js";
import * as entering from "./screens/entering.js";
import { home } from "./screens/home.js";
import * as questions from "./screens/questions.js";

/** Screens of a module that is read when the first of them is asked for. */
const behind = (load, ...names) => Object.fromEntries(names.map((name) => [name, async (...given) => (await load())[name](...given)]));

export const screens = {
    ...entering,
    home,
    ...questions,
    ...behind(() => import("./screens/listing.js"), "complaints", "reply"),
    ...behind(() => import("./screens/visits.js"), "visits", "visit", "details", "report"),
    ...behind(() => import("./screens/carrying.js"), "carry"),
    ...behind(() => import("./screens/settings.js"), "settings", "check", "wipe"),
};

/** What an open notebook begins with: without a hub, the way to one; wiped, sending alone. */
export function enrolOrHome() {
    const { box } = app;
    if (box.keys.reading === null) return entering.wiped();
    if (!box.device) return entering.enrol();
    return box.device.isConfirmed ? home() : entering.compare();
}
