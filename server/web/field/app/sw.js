// Carnet from the phone's own store; the hub puts the list of files and their digests before these lines.
const CACHE = "carnet";
const keyed = (path) => `${path}?v=${SHELL[path]}`;

// What was fetched stays, whatever cuts the rest: the next try goes on from there.
addEventListener("install", (event) => event.waitUntil(caches.open(CACHE).then(fill)));

async function fill(cache) {
    for (const path of Object.keys(SHELL)) {
        if (await cache.match(keyed(path))) continue;
        const answer = await fetch(keyed(path));
        if (!answer.ok) throw new Error(path);
        await cache.put(keyed(path), answer);
    }
}

addEventListener("activate", (event) => event.waitUntil(clean()));

async function clean() {
    const cache = await caches.open(CACHE);
    const wanted = new Set(Object.keys(SHELL).map((path) => new URL(keyed(path), location).href));
    for (const { url } of await cache.keys()) if (!wanted.has(url)) await cache.delete(url);
    await clients.claim();
}

addEventListener("message", ({ data }) => data === "take over" && skipWaiting());

addEventListener("fetch", (event) => {
    const { pathname, origin } = new URL(event.request.url);
    if (origin !== location.origin || event.request.method !== "GET" || !(pathname in SHELL)) return;
    event.respondWith(caches.match(keyed(pathname)).then((kept) => kept ?? fetch(event.request)));
});
