// timelines: real runs, drawn from their traces. The texts and what is run are
// in slides/timelines/NN-name.md: paragraphs of Markdown, and blocks of
//
//     run: PROGRAM OPTION...     the run to be drawn
//     urls: PATH [xN], ...       of the practice server; N times
//     rate: BYTES                its reader's pace; without it there is none
//     kill: N                    a worker is killed after the N-th job is taken
//     chart: PIXELS              the height of its counters
//     feed: MS                   between one URL and the next, on its input
//     marks: HIGH LOW            drawn on the counter of what is buffered
//     ask: TEXT                  what to predict, above it; then what it says
//                                is folded
//     says: TEXT                 what to see, below it
//
// With `locks:` in place of run, fetch-threads runs with locks.c preloaded.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import '../script/draw.js';
import { commandProblemOf } from '../lib/check.mjs';
import { escape } from '../lib/highlight.mjs';
import { markdown } from '../lib/markdown.mjs';
import { Missing, definition } from '../lib/source.mjs';
import { locks, origin, parse, run } from '../lib/trace.mjs';
import { drawLocks } from '../lib/waits.mjs';

const INDEX = 'timelines/index.html';
const FOLDER = 'slides/timelines';
const T = globalThis.triptychTimeline;

export const section = { title: 'Timelines', href: INDEX,
    says: 'real runs, drawn: pools, pipes, watermarks, a death',
    folder: 'timelines/', order: 30 };

export const slow = true;

// How a step waits, by program: said beside it, with the function where.
const WAITS = {
    'fetch-threads': {
        take: ['asleep on the condition; the lock is released',
            'threads/queue.c', 'queue_take'],
        'deliver, turn': ['asleep until its turn; the lock is released',
            'threads/places.c', 'place_wait_turn'],
        'deliver, consumer': ['it has the turn; asleep until the consumer ' +
            'takes more', 'common/outlet.c', 'outlet_write'],
        'main stop': ['asleep until its workers have ended',
            'threads/pool.c', 'pool_wait'],
    },
    'fetch-processes': {
        take: ['asleep in read, until the parent sends a job',
            'processes/worker.c', 'read_job'],
        'deliver, turn': ['asleep in write: its pipe is full, and the parent ' +
            'does not read it before its turn', 'processes/frame.c',
        'frame_write'],
        'deliver, consumer': ['it has the turn; asleep in write until the ' +
            'parent, which waits for the consumer, reads its pipe again',
        'processes/frame.c', 'frame_write'],
    },
    'fetch-evloop': {
        'deliver, turn': ['its source is paused until its turn; nobody sleeps',
            'evloop/connection.c', 'connection_pause'],
        'deliver, consumer': ['it has the turn; its source is paused until ' +
            'the consumer has taken all but the low mark; nobody sleeps',
        'evloop/connection.c', 'connection_pause'],
        'deliver at the end': ['the source has ended; its stash is written out',
            'evloop/body.c', 'complete_body'],
    },
};

function waitsOf(run, root) {
    const waits = Object.fromEntries(Object.entries(WAITS[run.split(' ')[0]])
        .map(([step, [says, file, name]]) =>
            [step, `${says} (${definition(file, name, root).name})`]));
    if (run.includes('--spawn each'))
        waits.take = 'nobody is there: the thread has ended';
    return waits;
}

// --- Reading the texts -----------------------------------------------------

function parseSpec(block, file) {
    const spec = {};
    for (const line of block.split('\n')) {
        const found = line.match(/^(run|locks|urls|rate|kill|feed|marks|chart|ask|says): *(.*)$/);
        if (found === null)
            throw new Missing(`${file}: "${line}" is not understood`);
        spec[found[1]] = found[2];
    }
    spec.paths = spec.urls.split(/\s*,\s*/).flatMap((word) => {
        const [, at, times] = word.match(/^(\S+?)(?: x(\d+))?$/);
        return Array(Number(times ?? 1)).fill(at);
    });
    return spec;
}

function parseText(site, name) {
    const file = `${FOLDER}/${name}`;
    const text = readFileSync(path.join(site.root, file), 'utf8');
    const [, title, rest] = text.match(/^# (.*)\n([^]*)$/);
    const parts = [];
    for (const block of rest.trim().split(/\n\s*\n/)) {
        if (/^(run|locks): /.test(block))
            parts.push(parseSpec(block, file));
        else if (parts.length > 0 && typeof parts.at(-1) === 'string')
            parts[parts.length - 1] += `\n\n${block}`;
        else
            parts.push(block);
    }
    const word = name.match(/^\d+-(\w+)\.md$/)[1];
    return { file, title, parts, word, page: `timelines/${word}.html` };
}

// --- Running ---------------------------------------------------------------

function wordsOf(spec, url) {
    return [...(spec.run ?? `fetch-threads ${spec.locks}`).split(/\s+/).slice(1),
        ...spec.paths.map((at) => url + at)];
}

// The command as somebody would type it.
function shown(spec) {
    const program = spec.run ?? `fetch-threads ${spec.locks}`;
    if (spec.feed)
        return `${program} --trace trace.json -i -`;
    return `${program} --trace trace.json ${spec.urls.split(/\s*,\s*/)
        .map((word) => word.replace(/^(\S+?)( x\d+)?$/, (_, at, times) =>
            `'http://127.0.0.1:8080${at}'${times ?? ''}`)).join(' ')}`;
}

// Says of each step that delivers in the order of the list what it waits for:
// its turn, which it has when all before it are finished, or the consumer.
export function sayWhy(trace) {
    const all = trace.lanes.flatMap((lane) => lane.spans);
    const ends = new Map();
    for (const [, , to, id] of all.filter((s) => s[0] === 'finish'))
        ends.set(id, Math.max(to, ends.get(id) ?? 0));
    for (const span of all.filter((s) => s[0] === 'deliver')) {
        const turn = Math.max(0, ...[...ends].filter(([id]) => id < span[3])
            .map(([, at]) => at));
        span[6] = span[1] < turn ? 'turn' : 'consumer';
    }
}

// Where a worker was killed: between the job's arrival and the retry.
function lostIn(trace) {
    return trace.lanes.flatMap((lane) => lane.spans
        .filter((span) => span[0] === 'retry')).flatMap((retry) => {
        const arrow = trace.arrows.find((a) => a[0] === 'job' &&
            a[5] === retry[3] && a[1] < retry[1]);
        if (arrow === undefined)
            return [];
        const lane = trace.lanes.find((l) => l.number === arrow[4]);
        const from = Math.max(arrow[3], ...lane.spans
            .filter((s) => s[2] <= retry[1]).map((s) => s[2]));
        return [{ lane: arrow[4], from, to: retry[1],
            says: `killed with request ${retry[3]}` }];
    });
}

async function traced(site, spec, url, id, tries = 5) {
    const [program] = spec.run.split(/\s+/);
    const text = await run(site.bin, program, wordsOf(spec, url), {
        rate: spec.rate ? Number(spec.rate)
            : / -n\b/.test(spec.run) ? undefined : 1e9,
        killAfter: spec.kill ? Number(spec.kill) : undefined });
    const trace = parse(text);
    if (!/ -n\b/.test(spec.run))
        sayWhy(trace);
    const lost = spec.kill ? lostIn(trace) : [];
    if (spec.kill && lost.length === 0) {
        // On a busy machine the signal may have come too late.
        if (tries > 1)
            return traced(site, spec, url, id, tries - 1);
        throw new Error(`${id}: the trace knows of no worker that was killed`);
    }
    return { id, chart: spec.chart ? Number(spec.chart) : undefined, ...trace, lost, waits: waitsOf(spec.run, site.root),
        marks: spec.marks ? spec.marks.split(' ').map(Number) : undefined };
}

// Two are to sleep. On a busy machine the workers may find each job there: then
// once more, and at last a slower feed, for which one worker is enough.
async function locked(site, spec, url) {
    let log;
    for (const slower of [1, 2, 1, 2, 1, 2, 4, 8, 16]) {
        log = await locks(site, wordsOf(spec, url), Number(spec.feed) * slower);
        const first = log.find((e) => e.what === 'wait');
        const asleep = new Set(log.filter((e) => e.what === 'wait' &&
            e.condition === first.condition).map((e) => e.thread));
        if (asleep.size >= (slower > 2 ? 1 : 2))
            break;
    }
    return log; // without a wait, drawing it says so
}

// --- Drawing ---------------------------------------------------------------

const STEPS = ['start', 'take', 'connect', 'send', 'receive', 'deliver',
    'finish', 'expire', 'retry', 'stop'];

const HATCH = `<defs><pattern id="ID-hatch" width="6" height="6"
patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line x1="0" y1="0"
x2="0" y2="6" class="hatching"/></pattern></defs>`;

function asTable(data) {
    const rows = data.lanes.flatMap((lane) => lane.spans.filter((s) =>
        s[4] === 0 || s[2] - s[1] > 5).map((span) => ({ lane, span })))
        .sort((a, b) => a.span[1] - b.span[1]).slice(0, 120);
    return `<details class="steps-table"><summary>The first ${rows.length
    } steps as a table</summary><div class="table"><table><thead><tr>
<th scope="col">from, ms</th><th scope="col">lane</th><th scope="col">step</th>
<th scope="col">request</th><th scope="col">took, ms</th></tr></thead><tbody>${
    rows.map(({ lane, span }) => `<tr><td class="figure">${span[1].toFixed(1)
    }</td><td>${lane.name}</td><td>${span[0]}</td><td>${span[3] ?? ''
    }</td><td class="figure">${(span[2] - span[1]).toFixed(1)}</td></tr>`)
        .join('')}</tbody></table></div></details>`;
}

function figureOf(site, page, file, spec, data) {
    const used = STEPS.filter((step) => data.lanes.some((l) =>
        l.spans.some((s) => s[0] === step)));
    const hatch = HATCH.replace('ID', data.id);
    const width = 960;
    const height = T.height(data);
    const view = { from: 0, to: data.end, width, selected: null };
    const inline = markdown(site, spec.says, { file, page });
    return `<figure class="timeline" id="${data.id}">
${spec.ask ? `<div class="predict"><p><b>Predict first.</b></p>${
        markdown(site, spec.ask, { file, page })}</div>` : ''}<p class="command"><code>${escape(shown(spec))}</code></p>
<ul class="legend" aria-label="Steps">${used.map((s) =>
        `<li class="st-${s}"><span></span>${s}</li>`).join('')}</ul>
<div class="bar" hidden><button type="button" data-do="in"
aria-label="Zoom in">+</button><button type="button" data-do="out"
aria-label="Zoom out">−</button><button type="button" data-do="left"
aria-label="Earlier">‹</button><button type="button" data-do="right"
aria-label="Later">›</button><button type="button"
data-do="all">All</button><p class="told" role="status" data-plain>Point at a step, or press
the arrow keys in the picture; + and - zoom, 0 shows all.</p></div>
<div class="frame scroll" role="group" aria-label="Timeline: lanes and steps"
style="--hatch:url(#${data.id}-hatch)"><svg
viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">${hatch}${
    T.draw(data, view)}</svg></div>
<figcaption>${spec.ask ? `<details><summary>What there is to see</summary>${
    inline}</details>` : inline}</figcaption>
${asTable(data)}
<script type="application/json">${JSON.stringify(data)
        .replaceAll('<', '\\u003c')}</script></figure>`;
}

export async function make(site) {
    const texts = readdirSync(path.join(site.root, FOLDER))
        .filter((name) => name.endsWith('.md')).sort()
        .map((name) => parseText(site, name));
    const server = await origin(site.bin);
    try {
        for (const [t, text] of texts.entries()) {
            const body = [];
            for (const [i, part] of text.parts.entries()) {
                const id = `${text.word}-${i}`;
                if (typeof part === 'string') {
                    body.push(`<div class="${i === 0 ? 'lead' : 'note'}">${
                        markdown(site, part,
                            { file: text.file, page: text.page })}</div>`);
                    continue;
                }
                const problem = commandProblemOf(shown(part).split(' ')
                    .filter((w) => !/^'|^x\d/.test(w)).join(' '), site.root);
                if (problem)
                    site.problems.push(`${text.file}: ${problem}`);
                else if (part.run)
                    body.push(figureOf(site, text.page, text.file, part,
                        await traced(site, part, server.url, id)));
                else
                    body.push(drawLocks(await locked(site, part, server.url), id,
                    markdown(site, part.says,
                        { file: text.file, page: text.page })));
            }
            const [before, after] = [texts[t - 1], texts[t + 1]];
            site.page({ page: text.page, title: text.title,
                kind: 'timeline-page',
                scripts: text.parts.some((part) => part.run)
                    ? ['script/draw.js', 'script/timeline.js'] : [], body: `
<p class="crumbs"><a href="../${INDEX}">Timelines</a></p>
<h1>${escape(text.title)}</h1>
${body.join('\n')}
<nav class="turn" aria-label="Other timelines">${before ? `<a rel="prev"
href="../${before.page}">‹ ${escape(before.title)}</a>` : '<span></span>'}${after
    ? `<a rel="next" href="../${after.page}">${escape(after.title)} ›</a>`
    : ''}</nav>` });
        }
    } finally {
        server.stop();
    }
    site.page({ page: INDEX, title: 'Timelines', body: `
<h1>Timelines of real runs</h1>
<p class="lead">Each was run when this site was built, against the practice
server on loopback, with <code>--trace</code>; the file that this option writes
opens in Perfetto, too. A lane is a worker, or a place of the loop; on it stand
the ten steps. Tracing costs some microseconds an event: these are to be looked
at, not measured.</p>
<ol class="contents">${texts.map((text) => `<li><a href="../${text.page}">${
        escape(text.title)}</a></li>`).join('')}</ol>` });
}
