// parser: common/http.c in the page, as WebAssembly, fed byte by byte.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { escape } from '../lib/highlight.mjs';
import { definition } from '../lib/source.mjs';
import { compiled } from '../lib/wasm.mjs';

const PAGE = 'parser.html';

// {bytes} or {missing}: wasm.mjs.
export function parserOf(root) {
    return compiled(root, ['slides/parser/parser.c', ...['bytes', 'date',
        'exchange', 'http', 'result', 'url'].map((name) => `common/${name}.c`)],
    ['common']);
}

// [{name, text, closes}] of examples.txt.
export function examples(root) {
    const text = readFileSync(path.join(root, 'slides/parser/examples.txt'),
        'utf8').replace(/^#.*\n/gm, '');
    return text.trim().split(/\n\n+/).map((block) => {
        const [head, bytes = ''] = block.split('\n');
        const [, name, closes] = head.match(/^(.*?)(, closes)?$/);
        return { name, text: bytes, closes: closes !== undefined };
    });
}

const short = (root, file, name, prefix) => definition(file, name, root)
    .constants.map((word) => word.replace(prefix, ''));

function options(list) {
    const option = (e) => `<option value="${list.indexOf(e)}">${
        escape(e.name.replace(/^hostile: /, ''))}</option>`;
    const hostile = (e) => e.name.startsWith('hostile: ');
    return `<optgroup label="Right">${list.filter((e) => !hostile(e)).map(option)
        .join('')}</optgroup><optgroup label="Hostile">${list.filter(hostile)
        .map(option).join('')}</optgroup>`;
}

const ROWS = [['want', 'The exchange wants'], ['status', 'Status'],
    ['head', 'The head'], ['left', 'Still to come'],
    ['kept', 'Kept of an unfinished line'], ['spans', 'Spans of body'],
    ['outcome', 'Outcome']];

function operated(site, bytes) {
    const list = examples(site.root);
    const states = short(site.root, 'common/http.h', 'http_state', 'HTTP_');
    const wants = short(site.root, 'common/exchange.h', 'want', 'WANT_');
    return `<div class="parser" hidden data-states="${
        escape(JSON.stringify(states))}" data-wants="${
        escape(JSON.stringify(wants))}">
<form onsubmit="return false">
<p><label>A response <select data-is="example">${options(list)}</select></label></p>
<p><label>Its bytes, to be changed: <code>\\r</code> <code>\\n</code>
<code>\\x00</code>, and a bar <code>|</code> where it is split
<textarea data-is="text" rows="6" spellcheck="false"
autocapitalize="off"></textarea></label></p>
<p class="choices"><label>Pieces of <input data-is="size" type="number" min="0"
max="9999" value="1"> bytes (0: at the bars alone)</label>
<label><input data-is="closes" type="checkbox"> then the server closes</label></p>
</form>
<div class="fed-to">
<div class="bar"><button type="button" data-is="begin">From the beginning</button>
<button type="button" data-is="back">Back</button><button type="button"
data-is="next">Next piece</button><button type="button" data-is="end">To the
end</button><label class="slide"><span>Pieces that were fed</span><input
data-is="where" type="range" min="0" max="1" value="0"></label></div>
<p class="told" data-is="told" role="status"></p>
<div class="bytes" data-is="bytes" role="group" aria-label="The bytes"
tabindex="0"></div>
<ol class="states" aria-label="States">${states.map((s) => `<li>${s}</li>`)
        .join('')}</ol>
<dl class="facts">${ROWS.map(([name, title]) => `<dt>${title}</dt><dd
data-is="${name}"></dd>`).join('')}</dl></div></div>
<noscript><p>This page needs its script.</p></noscript>
<script type="application/json" id="examples">${JSON.stringify(list)
        .replaceAll('<', '\\u003c')}</script>
<script type="text/plain" id="wasm">${bytes.toString('base64')}</script>`;
}

export async function make(site) {
    const { bytes, missing } = parserOf(site.root);
    if (missing)
        site.say(`The parser's page is left out: ${missing}`);
    const up = '';
    site.page({ page: PAGE, title: 'The parser, byte by byte',
        kind: 'parser-page', scripts: missing ? []
            : ['script/parser_core.js', 'script/parser.js'], body: `
<p class="crumbs"><a href="try.html">Try it</a></p>
<h1>The parser, byte by byte</h1>
<div class="lead"><p>TCP has no messages: a response arrives in pieces of any
size. This is the source’s own parser,
<a href="${up}source/common/http.c.html"><code>common/http.c</code></a>, and
the exchange over it, compiled for this page. Feed it: what it knows between two
pieces stands below, and so does what it keeps, which is little.</p></div>
${missing ? `<p class="left-out">It was left out when this site was made: there
was no compiler for WebAssembly (${escape(missing)}). <code>./run site</code>
installs one where it can.</p>` : operated(site, bytes)}` });
}
