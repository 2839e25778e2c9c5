// http-verdict: what Node's parser (llhttp) makes of responses, in the words
// of http-verdict.c: the same inputs, the same lines of JSON.
//
// The parser is not a documented part of Node, but is reached like this by
// others, too. Should that end, the test says so and is skipped.

import { createRequire } from "node:module";
import fs from "node:fs";

const HTTPParser = createRequire(import.meta.url)("_http_common").HTTPParser;
if (HTTPParser === undefined)
    process.exit(77);

const HEAD_LIMIT = 1 << 20; // more than the inputs have

// The first final response, if the peer sends just this and closes.
function judge(input) {
    const verdict = {
        end: "cut", cause: "", head: false, status: 0, keep: false, used: 0,
        body: "",
    };
    const body = [];
    let done = false;
    const parser = new HTTPParser();
    parser.initialize(HTTPParser.RESPONSE, {}, HEAD_LIMIT, 0);
    parser[HTTPParser.kOnHeaders] = () => {};
    parser[HTTPParser.kOnHeadersComplete] =
        (major, minor, fields, method, url, status, reason, upgrade, keep) => {
            if (!done && (status >= 200 || status === 101)) {
                verdict.head = true;
                verdict.status = status;
                verdict.keep = keep;
            }
            return 0;
        };
    parser[HTTPParser.kOnBody] = (piece) => {
        if (!done)
            body.push(Buffer.from(piece));
    };
    parser[HTTPParser.kOnMessageComplete] = () => {
        if (verdict.head && !done) {
            done = true;
            parser.pause();
        }
    };
    const took = parser.execute(input);
    if (took instanceof Error && !done) {
        verdict.end = "bad";
        verdict.cause = `${took.code}: ${took.reason}`;
    } else if (done) {
        verdict.end = "done";
        verdict.used = took instanceof Error ? took.bytesParsed : took;
    } else if (!(parser.finish() instanceof Error) && done) {
        verdict.end = "done";
        verdict.keep = false;
        verdict.used = input.length;
    }
    if (verdict.end !== "done")
        verdict.keep = false;
    verdict.body = Buffer.concat(body).toString("hex");
    return verdict;
}

const data = fs.readFileSync(0);
const lines = [];
for (let at = 0; at + 4 <= data.length;) {
    const n = data.readUInt32LE(at);
    lines.push(JSON.stringify(judge(data.subarray(at + 4, at + 4 + n))));
    at += 4 + n;
}
fs.writeSync(1, lines.join("\n") + "\n");
