/** Erasing everything: keys first, then the rest. */

import { forgetKeys } from "./vault.js";
import { writing } from "./store.js";

/** Leave nothing of this phone's notebook. Once the first write is done nothing here opens any more. */
export async function eraseAll(box) {
    await writing(box.db, ["single"], ({ single }) => single.delete("vault"));
    box.isErased = true;
    forgetKeys(box.keys);
    const names = [...box.db.objectStoreNames];
    await writing(box.db, names, (stores) => Promise.all(names.map((name) => stores[name].clear())));
}

/** Leave only what waits for the centre, to whoever knows the passphrase: drafts, names, replies and tasks go. */
export async function eraseReadable(box) {
    await writing(box.db, ["single"], async ({ single }) => {
        await single.put({ ...(await single.get("vault")), reading: null }, "vault");
    });
    box.keys.reading?.fill(0);
    box.keys.reading = null;
    const names = ["drafts", "takes", "cards", "replies", "tasks", "looks"];
    await writing(box.db, names, (stores) => Promise.all(names.map((name) => stores[name].clear())));
}
