// tus-js-client, as its own page has it: upload one file, and go on where an earlier process was cut.
// URL HEADERS FILE SHA256 STORE CHUNK_BYTES, headers as JSON; ends with 1 when it was cut.
const fs = require("node:fs");
const tus = require("tus-js-client");

const [url, headers, file, sha256, store, chunkBytes] = process.argv.slice(2);
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint: url,
  headers: JSON.parse(headers),
  metadata: { sha256 },
  uploadSize: fs.statSync(file).size,
  chunkSize: Number(chunkBytes),
  urlStorage: new tus.FileUrlStorage(store),
  storeFingerprintForResuming: true,
  retryDelays: null,
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => process.exit(0),
});
upload.findPreviousUploads().then((found) => {
  if (found.length > 0) upload.resumeFromPreviousUpload(found[0]);
  upload.start();
});
