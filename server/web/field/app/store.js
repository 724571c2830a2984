/** The one database of Carnet. What stands in it in clear are numbers, ids, states and sizes. */

import { openDB } from "./vendor/libraries.js";

const VERSION = 1;

/**
 * Rows of one kind each: `single` holds rows that there is one of, by name (`vault`, `link`, `device`, `settings`,
 * `applied`); `lines`, `cards`, `drafts`, `takes`, `replies` and `tasks` hold bytes that only the keys of the vault open;
 * `blobs` holds files sealed to the readers of their complaint.
 */
export const openStore = () =>
    openDB("carnet", VERSION, {
        upgrade(db) {
            db.createObjectStore("single");
            db.createObjectStore("records", { keyPath: "seq" }).createIndex("id", "id", { unique: true });
            db.createObjectStore("lines");
            db.createObjectStore("cards");
            db.createObjectStore("frames", { keyPath: "number" });
            db.createObjectStore("replies", { keyPath: "digest" }).createIndex("record", "record");
            db.createObjectStore("tasks", { keyPath: "id" });
            db.createObjectStore("looks", { autoIncrement: true }).createIndex("task", "task");
            db.createObjectStore("files", { keyPath: "sha256" });
            db.createObjectStore("blobs");
            db.createObjectStore("drafts", { keyPath: "id" });
            db.createObjectStore("takes", { autoIncrement: true }).createIndex("draft", "draft");
            db.createObjectStore("places");
        },
        // Another window wants a newer version: it may have it, for this one keeps nothing that is not saved.
        blocking: (_now, _wanted, event) => event.target.close(),
    });

/**
 * Run `work(stores)` in one transaction over the named stores, on the disk when this resolves; all of it or nothing.
 * `work` may wait for nothing but these stores.
 */
export async function writing(db, names, work) {
    const transaction = db.transaction(names, "readwrite", { durability: "strict" });
    const stores = Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)]));
    try {
        const result = await work(stores);
        await transaction.done;
        return result;
    } catch (error) {
        transaction.done.catch(() => {});
        try {
            transaction.abort();
        } catch {
            // It was over before the error.
        }
        throw error;
    }
}
