// stackless: what a compiler makes of await. The same request with a stack and
// without, what remembers it, a run, and what cannot be done: the texts are
// slides/stackless/stackless.md's, the programs are built with the tests.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { escape } from '../lib/highlight.mjs';
import { lined } from '../lib/lined.mjs';
import { markdown, quoted } from '../lib/markdown.mjs';
import { idOf, linker } from '../lib/names.mjs';
import { Missing, definition, read } from '../lib/source.mjs';
import { origin } from '../lib/trace.mjs';
import { record } from '../lib/turns.mjs';

export const PAGE = 'columns/stackless.html';
export const slow = true; // it runs the program

const TEXT = 'slides/stackless/stackless.md';
const STACKLESS = 'evloop/coroutines/stackless.c';
const SIDES = [['with a stack', 'evloop/coroutines/minimal.c',
    ['work', 'step_receive', 'step_deliver', 'step_finish']],
['without', STACKLESS, ['go_on', 'main']]];
const PATHS = ['/bytes/300?delay=150', '/bytes/20?delay=50',
    '/bytes/40?delay=250'];

function sides(site) {
    const up = site.up(PAGE);
    const quote = (file, name) => {
        const item = definition(file, name, site.root);
        const above = item.comment
            ? `/* ${item.comment.replace(/\n/g, '\n * ')} */\n` : '';
        return `<figure class="quote"><figcaption><a href="${up}source/${file
        }.html#${idOf(item)}">${file}: <b>${name}</b></a></figcaption><pre><code>${
            lined(above + item.code, file, name, linker(file, up, item,
                site.root), site.root)}</code></pre></figure>`;
    };
    return `<div class="columns of-2">${SIDES.map(([title, file, names]) =>
        `<div class="cell"><h3 class="who"><b class="tag evloop">${title}</b></h3>${
            names.map((name) => quote(file, name)).join('')}</div>`).join('')}</div>`;
}

// How many bytes a request remembers: what the source's comment says, if the
// compiler agrees.
export function size(root) {
    const said = Number(read(STACKLESS, root).opening
        .match(/these (\d+)\s+bytes/)?.[1]);
    const { status, stderr } = spawnSync('cc', ['-std=c17', '-D_GNU_SOURCE',
        '-fsyntax-only', `-I${path.join(root, 'common')}`, '-x', 'c', '-'],
    { encoding: 'utf8', input: `#include "${path.join(root, STACKLESS)}"
_Static_assert(sizeof(struct request) == ${said}, "so many bytes");` });
    if (status !== 0)
        throw new Missing(`${STACKLESS}: not ${said} bytes? ${stderr}`);
    return said;
}

// What a program of slides/stackless prints, here and now.
export function printed(bin, name) {
    const at = path.join(bin, `tests/stackless-${name}`);
    if (!existsSync(at))
        throw new Missing(`${at} is not there: build first`);
    const { status, stdout } = spawnSync(at, { encoding: 'utf8',
        timeout: 60_000 });
    if (status !== 0)
        throw new Missing(`${at} fails: ${status}`);
    return stdout;
}

function program(site, name) {
    const file = `slides/stackless/${name}.c`;
    const { lines } = read(file, site.root);
    const from = lines.findIndex((line) => /^static int line/.test(line));
    return `<div class="runs"><pre><code>${lined(lines.slice(from).join('\n')
        .trimEnd(), file, '', undefined, site.root)}</code></pre><p
class="prints">It prints</p><pre class="printed"><samp>${
        escape(printed(site.bin, name).trimEnd())}</samp></pre></div>`;
}

// [{us, turn, has: {id: {line, events}}}]: each time all sleep.
export function sleepsOf(lines) {
    const sleeps = [];
    let has = {};
    for (const { us, what, words } of lines) {
        if (what === 'has') {
            const [id, line, events] = words.map(Number);
            has[id] = { line, events };
        } else if (what === 'sleeps') {
            sleeps.push({ us, turn: Number(words[0]), has });
            has = {};
        } else {
            sleeps.at(-1).woke = us;
        }
    }
    return sleeps;
}

// The letters of asked-for events.
const EVENTS = { 0: '0: the turn', 1: 'POLLIN: bytes' };

async function run(site) {
    const server = await origin(site.bin);
    try {
        const sleeps = sleepsOf(await record(site.bin, 'stackless',
            PATHS.map((p) => server.url + p)));
        const cell = (sleep, before, id) => {
            const now = sleep.has[id];
            const text = now === undefined ? 'free: it is done'
                : `line ${now.line}, awaits ${EVENTS[now.events] ?? now.events}`;
            const was = before?.has[id];
            const changed = before !== undefined && (now?.line !== was?.line ||
                now?.events !== was?.events);
            return `<td${changed ? ' class="changed"' : ''}>${text}</td>`;
        };
        return `<div class="table"><table class="remembers"><thead><tr><th
scope="col">it sleeps</th>${PATHS.map((_, i) =>
            `<th scope="col">request ${i + 1}</th>`).join('')}</tr></thead><tbody>${
            sleeps.map((sleep, i) => `<tr><th scope="row">${Math.round(
                (sleep.woke - sleep.us) / 1000)} ms</th>${PATHS.map((_, id) =>
                cell(sleep, sleeps[i - 1], id)).join('')}</tr>`).join('')
            }</tbody></table></div>`;
    } finally {
        server.stop();
    }
}

export async function make(site) {
    const text = readFileSync(path.join(site.root, TEXT), 'utf8');
    const parts = { code: sides(site), run: await run(site),
        struct: quoted(site, PAGE, STACKLESS, 'request'),
        ...Object.fromEntries(['called', 'local', 'inner'].map((name) =>
            [name, program(site, name)])) };
    const html = markdown(site, text.replace('[size]', size(site.root)),
        { file: TEXT, page: PAGE, lowest: 1 })
        .replace(/<p>\[(\w+)\]<\/p>/g, (all, name) => {
            if (parts[name] === undefined)
                throw new Missing(`${TEXT}: there is no part [${name}]`);
            return parts[name];
        });
    const up = site.up(PAGE);
    site.page({ page: PAGE, title: 'What a compiler makes of await',
        kind: 'stackless', body: `
<p class="crumbs"><a href="index.html">Three columns</a></p>
${html}
<nav class="turn" aria-label="Where to go on"><a rel="prev" href="await.html">‹ A
thread without the kernel</a><a rel="next" href="${up}source/${STACKLESS
    }.html">stackless.c, whole ›</a></nav>` });
}
