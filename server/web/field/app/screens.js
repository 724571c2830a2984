/** The screens by their names. */

import { app } from "./app.js";
import * as carrying from "./screens/carrying.js";
import * as entering from "./screens/entering.js";
import { home } from "./screens/home.js";
import * as listing from "./screens/listing.js";
import * as questions from "./screens/questions.js";
import * as settings from "./screens/settings.js";
import * as visits from "./screens/visits.js";

export const screens = { ...entering, home, ...listing, ...questions, ...visits, ...carrying, ...settings };

/** What an open notebook begins with: without a hub, the way to one; wiped, sending alone. */
export function enrolOrHome() {
    const { box } = app;
    if (box.keys.reading === null) return entering.wiped();
    if (!box.device) return entering.enrol();
    return box.device.isConfirmed ? home() : entering.compare();
}
