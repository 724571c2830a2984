/** F4.8: photos and papers, scaled down on the phone, without what cameras write into them, sealed as they are taken. */

import { app } from "../app.js";
import { attach, detach, keyOf } from "../drafts.js";
import * as files from "../files.js";
import { button, complain, h, icon, note } from "../page.js";
import { openFile } from "../protocol/fileSeal.js";
import { NotTaken } from "../protocol/media.js";
import { t } from "../words.js";

const LONGEST_PX = 1600;
const QUALITY = 0.72;
const PHOTO = "image/jpeg";

/** The question of pieces: to skip it is the large button below. */
export async function pieces(answers, _keep, redraw) {
    const said = h("div");
    const take = async (event) => {
        for (const file of event.target.files) {
            try {
                await attach(app.box, answers, await prepared(file), "evidence", app.now());
            } catch (error) {
                complain(said, t(`pieces.${error instanceof NotTaken ? error.code : "file_type"}`));
                return;
            }
        }
        await redraw();
    };
    const input = h("input", { type: "file", accept: "image/*,application/pdf", multiple: true, hidden: true, id: "piece", onchange: take });
    const shown = await Promise.all(answers.files.filter((file) => file.kind !== "audio").map((file) => picture(answers, file, redraw)));
    return [
        input,
        button(t("pieces.take"), () => input.click(), { icon: "camera" }),
        h("div", { class: "photos" }, shown),
        said,
        note("shield", t("pieces.hint")),
    ];
}

/** A photo drawn anew, so that place and time of the camera are gone; what is no picture stays as it is. */
async function prepared(file) {
    if (!file.type.startsWith("image/")) return new Uint8Array(await file.arrayBuffer());
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST_PX / Math.max(image.width, image.height));
    const canvas = h("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, PHOTO, QUALITY));
    return new Uint8Array(await blob.arrayBuffer());
}

async function picture(answers, file, redraw) {
    const { bytes, type } = await openFile(await files.bytesOf(app.box.db, file.sha256), keyOf(file));
    const drop = async () => {
        await detach(app.box, answers, file.sha256);
        await redraw();
    };
    const image = type.startsWith("image/") && h("img", { alt: t("pieces.photo"), src: URL.createObjectURL(new Blob([bytes], { type })) });
    return h("figure", {}, image || icon("paper", "big"), button(t("pieces.drop"), drop, { icon: "trash" }));
}
