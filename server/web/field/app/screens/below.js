/** The four ways below each screen that is no question. */

import { go } from "../app.js";
import { h, icon } from "../page.js";
import { t } from "../words.js";

const WAYS = [["home", "home"], ["list", "complaints"], ["pin", "visits"], ["set", "settings"]];

/** The bar with the way to `here` marked. */
export const below = (here) =>
    h(
        "nav",
        { "aria-label": t("nav.sections") },
        WAYS.map(([sign, name]) =>
            h(
                "button",
                { type: "button", "aria-current": name === here ? "page" : null, onclick: () => go(name) },
                icon(sign),
                t(`nav.${name}`),
            ),
        ),
    );
