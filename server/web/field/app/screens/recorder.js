/** F4.2: a voice note, sealed as it is taken; each piece is kept, so that a call or a kill costs its last seconds. */

import { app } from "../app.js";
import { attach, detach, dropTakes, keepTake, keyOf, takesOf } from "../drafts.js";
import * as files from "../files.js";
import { complain, h, icon } from "../page.js";
import { openFile } from "../protocol/fileSeal.js";
import { t } from "../words.js";

// The first that the browser writes; each lets its container be chosen, and the hub takes all of these.
const FORMATS = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];
const BITS_PER_S = 24_000;
const MOST_S = 300;
const PIECE_MS = 2000;
const BARS = 64;

/** What the question shows of the voice note, and how it is ended when the screen is left. */
export async function recorder(answers, redraw, next) {
    const place = h("section", { class: "rec", "aria-label": t("voice.title") });
    const said = h("div");
    const taken = answers.files.find((file) => file.kind === "audio");
    let running = null;

    const begin = async () => {
        try {
            running = await record(answers, place, stop);
            next.disabled = true;
        } catch {
            complain(said, t("voice.refused"));
        }
    };
    async function stop() {
        if (!running) return;
        const ending = running;
        running = null;
        next.disabled = false;
        await ending.stop();
        await keepVoice(answers);
        await redraw();
    }
    if (taken) place.append(...heard(answers, taken, redraw));
    else place.append(...offered(begin));
    return { parts: [place, said], ends: stop };
}

function offered(begin) {
    return [
        h("p", { class: "time" }, "0:00"),
        h("p", { class: "s m" }, t("voice.most")),
        h("div", { class: "ctl" }, h("button", { type: "button", class: "round", "aria-label": t("voice.begin"), onclick: begin }, icon("mic"))),
    ];
}

function heard(answers, file, redraw) {
    const again = async () => {
        await detach(app.box, answers, file.sha256);
        await redraw();
    };
    const player = h("div");
    const play = async () => {
        const { bytes, type } = await openFile(await files.bytesOf(app.box.db, file.sha256), keyOf(file));
        const audio = h("audio", { controls: true, src: URL.createObjectURL(new Blob([bytes], { type })) });
        player.replaceChildren(audio);
        await audio.play().catch(() => {});
    };
    return [
        h("p", { class: "time" }, icon("check"), " ", t("voice.kept")),
        h("p", { class: "s m" }, t("voice.size", { k: Math.ceil(file.size / 1000) })),
        h(
            "div",
            { class: "ctl" },
            h("button", { type: "button", class: "sm", onclick: play }, icon("play", "f"), t("voice.play")),
            h("button", { type: "button", class: "sm", onclick: again }, icon("trash"), t("voice.again")),
        ),
        player,
    ];
}

/** Record into the draft until stopped; a meter shows that the phone hears. */
async function record(answers, place, stop) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format));
    const machine = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_S });
    const { box } = app;
    await dropTakes(box, answers.id);
    let keeping = Promise.resolve();
    machine.addEventListener("dataavailable", ({ data }) => {
        keeping = keeping.then(async () => keepTake(box, answers.id, new Uint8Array(await data.arrayBuffer())));
    });
    const ended = new Promise((resolve) => machine.addEventListener("stop", resolve, { once: true }));
    const listening = listen(stream, place, stop);
    app.keepsOpen = true;
    machine.start(PIECE_MS);
    // A call takes the microphone: what was said so far is kept.
    stream.getAudioTracks()[0].addEventListener("ended", stop);
    return {
        async stop() {
            app.keepsOpen = false;
            listening.stop();
            if (machine.state !== "inactive") machine.stop();
            await ended;
            for (const track of stream.getTracks()) track.stop();
            await keeping;
        },
    };
}

/** Time and loudness while it records. */
function listen(stream, place, stop) {
    const time = h("p", { class: "time", role: "timer" }, "0:00");
    const wave = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    wave.setAttribute("class", "wave");
    wave.setAttribute("viewBox", `0 0 ${BARS * 4} 64`);
    wave.setAttribute("preserveAspectRatio", "none");
    wave.setAttribute("aria-hidden", "true");
    const left = h("p", { class: "s m" });
    const end = h("button", { type: "button", class: "round", "aria-label": t("voice.stop"), onclick: stop }, icon("stop", "f"));
    place.replaceChildren(time, wave, left, h("div", { class: "ctl" }, end));
    end.focus();
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const sample = new Uint8Array(analyser.fftSize);
    const began = performance.now();
    let bars = 0;
    const ticking = setInterval(() => {
        const passed = (performance.now() - began) / 1000;
        analyser.getByteTimeDomainData(sample);
        const loud = Math.max(...sample.map((value) => Math.abs(value - 128))) / 128;
        wave.append(barAt(bars % BARS, loud));
        if (bars >= BARS) wave.firstChild.remove();
        bars += 1;
        time.textContent = clock(passed);
        left.textContent = t("voice.left", { time: clock(MOST_S - passed), k: Math.ceil((passed * BITS_PER_S) / 8000) });
        if (passed >= MOST_S) void stop();
    }, 200);
    return {
        stop() {
            clearInterval(ticking);
            void context.close();
        },
    };
}

function barAt(at, loud) {
    const height = Math.max(4, Math.min(62, loud * 90));
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x: at * 4, y: 32 - height / 2, width: 2.4, height, rx: 1.2 })) {
        bar.setAttribute(name, value);
    }
    bar.setAttribute("fill", "currentColor");
    return bar;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** Seal what was recorded into the draft, and let go of its pieces. Also after a kill: then the draft still has them. */
export async function keepVoice(answers) {
    const bytes = await takesOf(app.box, answers.id);
    if (bytes.length) await attach(app.box, answers, bytes, "testimony", app.now());
    await dropTakes(app.box, answers.id);
}
