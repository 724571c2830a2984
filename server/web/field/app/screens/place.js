/** F4.4: the place by three letters, from the lists of the cercles that this phone works in; none of it is remembered. */

import { document as loaded } from "../documents.js";
import { app } from "../app.js";
import { fold } from "../protocol/linkage.js";
import { field, h, icon, note, pick } from "../page.js";
import { t } from "../words.js";

const LEAST_LETTERS = 3;
const SHOWN_MOST = 8;

/** Region, cercle, then a village if it may be said; each step may be left out. */
export async function place(answers, keep, redraw) {
    const list = await loaded("places");
    const set = (members) => keep(members).then(redraw);
    const path = pathOf(answers, list, set);
    if (!answers.cercle) return [path, search(list, set), answers.region ? cercles(answers, list, set) : regions(answers, list, set), said(answers, keep)];
    return [path, await villages(answers, keep, set), said(answers, keep)];
}

function pathOf(answers, list, set) {
    const step = (name, members) => h("button", { type: "button", class: "hear", onclick: () => set(members) }, name, icon("x"));
    const none = { region: null, cercle: null, place: null, placeName: null };
    return h("div", { class: "line", role: "group", "aria-label": t("place.chosen") },
        answers.region && step(list.regions[answers.region].name, none),
        answers.cercle && step(list.cercles[answers.cercle].name, { cercle: null, place: null, placeName: null })); // prettier-ignore
}

const regions = (answers, list, set) =>
    pick(t("place.region"), named(list.regions).filter(([id]) => hasCercles(list, id)), answers.region, (region) => set({ region }), { two: true });

const cercles = (answers, list, set) =>
    pick(t("place.cercle"), named(list.cercles).filter(([id]) => list.cercles[id].in === answers.region), null, (cercle) => set({ cercle }), { two: true });

// A region of the reform has no list of its own yet: its cercles stand under the one before.
const hasCercles = (list, region) => Object.values(list.cercles).some((each) => each.in === region);

const named = (places) => Object.entries(places).map(([id, { name }]) => [id, name]);

/** Regions and cercles that begin with what is typed. */
function search(list, set) {
    const found = h("div");
    const input = field(t("place.search"), { type: "search", enterkeyhint: "search" });
    input.addEventListener("input", (event) => {
        const begun = fold(event.target.value);
        const options = begun.length < LEAST_LETTERS ? [] : [...named(list.cercles), ...named(list.regions)].filter(([, name]) => fold(name).startsWith(begun)).slice(0, SHOWN_MOST);
        const chosen = (id) => set(id in list.cercles ? { region: list.cercles[id].in, cercle: id } : { region: id });
        found.replaceChildren(options.length ? pick(`!${t("place.found")}`, options.map(([id, name]) => [id, name, id in list.cercles ? list.regions[list.cercles[id].in].name : t("place.is_region")]), null, chosen) : "");
    });
    return [input, found];
}

/** Places of the chosen cercle by their first letters; "only the cercle" is chosen until one is picked. */
async function villages(answers, keep, set) {
    const inside = (await placesOf(answers.cercle)) ?? [];
    if (!inside.length) return note("pin", t("place.no_list"));
    const found = h("div");
    const coarse = h("input", { type: "checkbox", checked: answers.place === null, onchange: (event) => event.target.checked && set({ place: null, placeName: null }) });
    const input = field(t("place.village"), { type: "search", enterkeyhint: "search", value: answers.placeName ?? "" });
    const look = (typed) => {
        const begun = fold(typed);
        const options = begun.length < LEAST_LETTERS ? [] : inside.filter((each) => each.fold.startsWith(begun)).slice(0, SHOWN_MOST);
        const chosen = (id) => {
            coarse.checked = false;
            const picked = inside.find((each) => each.id === id);
            void keep({ place: id, placeList: picked.list, placeName: picked.name });
        };
        found.replaceChildren(options.length ? pick(`!${t("place.found")}`, options.map((each) => [each.id, each.name, each.above]), answers.place, chosen) : "");
    };
    input.addEventListener("input", (event) => look(event.target.value));
    if (answers.placeName) look(answers.placeName);
    const only = h("label", { class: "row" }, coarse, h("div", {}, h("b", {}, t("place.coarse")), h("small", {}, t("place.coarse_hint"))));
    return [input, found, only];
}

/** The places of a cercle, from the phone if they are there, else from the hub, which is asked for whole cercles. */
async function placesOf(cercle) {
    const kept = await app.db.get("places", cercle);
    if (kept) return unpacked(kept);
    try {
        const given = await (await fetch(`places/${cercle}.json`)).json();
        await app.db.put("places", given, cercle);
        return unpacked(given);
    } catch {
        return null;
    }
}

const unpacked = ({ list, places }) => places.map(([id, name, above]) => ({ list, id, name, above, fold: fold(name) }));

function said(answers, keep) {
    const input = field(t("place.said"), { maxlength: 500, value: answers.said });
    input.addEventListener("input", (event) => keep({ said: event.target.value }));
    return input;
}
