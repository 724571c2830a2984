/** What duplicates are searched by, cut by the words that the hub gave. */

import { document } from "./documents.js";
import { linkageKeys } from "./protocol/linkage.js";

/** The function that cuts the keys of a complaint. */
export async function linkageKeysOf() {
    const pivot = await document("pivot");
    return (content) => linkageKeys(content, pivot);
}
