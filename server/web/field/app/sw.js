// Carnet from the phone's own store. The hub puts before these lines: SHELL, what opens, records and seals, LATER, the
// rest, each file with its digest; PACKS, the one document that has all of either; HEADERS and TYPES of what is kept.
const CACHE = "carnet";
const KEPT = { ...SHELL, ...LATER };
// Of a new version with fewer new files, these alone are fetched.
const FEW = 8;
const keyed = (path) => `${path}?v=${KEPT[path]}`;

addEventListener("install", (event) => event.waitUntil(keep("shell", SHELL)));

async function keep(pack, files) {
    const cache = await caches.open(CACHE);
    const put = (path, text) => cache.put(keyed(path), answerOf(path, text));
    const missing = [];
    for (const path of Object.keys(files)) if (!(await cache.match(keyed(path)))) missing.push(path);
    if (missing.length > FEW) {
        const texts = JSON.parse(await told(PACKS[pack]));
        for (const path of missing) await put(path, texts[path] ?? (await text(keyed(path))));
    } else for (const path of missing) await put(path, await text(keyed(path)));
}

function answerOf(path, text) {
    const type = TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? TYPES.html;
    return new Response(text, { headers: { ...HEADERS, "Content-Type": type } });
}

const text = async (url) => (await fetched(url)).text();

async function fetched(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(url);
    return answer;
}

/** The text of a pack; the pages that wait for it are told how much of it is there. */
async function told({ url, bytes }) {
    const [parts, pages] = [[], await clients.matchAll({ includeUncontrolled: true })];
    let have = 0;
    for (const reader = (await fetched(url)).body.getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) return new Blob(parts).text();
        parts.push(value);
        have += value.length;
        for (const page of pages) page.postMessage(have / bytes);
    }
}

addEventListener("activate", (event) => event.waitUntil(clean()));

async function clean() {
    const cache = await caches.open(CACHE);
    const wanted = new Set(Object.keys(KEPT).map((path) => new URL(keyed(path), location).href));
    for (const { url } of await cache.keys()) if (!wanted.has(url)) await cache.delete(url);
    await clients.claim();
}

addEventListener("message", (event) => {
    if (event.data === "take over") skipWaiting();
    if (event.data === "claim") event.waitUntil(clients.claim());
    if (event.data === "rest") event.waitUntil(keep("later", LATER).catch(() => {}));
});

addEventListener("fetch", (event) => {
    const { pathname, origin } = new URL(event.request.url);
    if (origin !== location.origin || event.request.method !== "GET" || !(pathname in KEPT)) return;
    event.respondWith(caches.match(keyed(pathname)).then((kept) => kept ?? fetch(event.request)));
});
