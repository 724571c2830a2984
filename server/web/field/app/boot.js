/** The first lines of Carnet: have what it needs on the phone, then start it. */

const { serviceWorker } = navigator;
const page = document.getElementById("page");

function tell(what) {
    for (const each of page.querySelectorAll("p")) each.hidden = each.id !== what;
}

/** The worker at work; a broken link throws. */
async function atWork() {
    const registration = await serviceWorker.register("sw.js");
    const coming = registration.installing;
    if (!registration.active) {
        await new Promise((done, failed) => {
            coming.onstatechange = () => (coming.state === "redundant" ? failed(new Error("cut")) : coming.state === "activated" && done());
        });
    }
    const claimed = new Promise((done) => serviceWorker.addEventListener("controllerchange", done, { once: true }));
    registration.active.postMessage("claim");
    if (!serviceWorker.controller) await claimed;
}

async function boot() {
    tell("coming");
    try {
        if (!serviceWorker.controller) await atWork();
    } catch {
        addEventListener("online", () => void boot(), { once: true });
        return tell("cut");
    }
    await import("./app.js");
}

if (serviceWorker) {
    page.querySelector("button").addEventListener("click", () => void boot());
    serviceWorker.addEventListener("message", ({ data }) => page.querySelector("progress")?.setAttribute("value", data));
    serviceWorker.startMessages();
    void boot();
} else tell("plain");
