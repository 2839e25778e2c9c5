// columns: the ten steps, each a page with the three models side by side.
//
// slides/steps/NN-name.md has a title, a note, and rows:
//
//     ## What the row shows
//     threads: threads/fetch.c step_take, threads/queue.c queue_take
//     processes: processes/worker.c step_take
//     evloop: - nobody waits for a job
//     coroutines: ...          if there is a fourth column, to be switched on
//
//     A note on the row.
//
// NAME..OTHER is all from one to the other. What two models share is shown
// once, over two columns. Every function that is called step_NAME must be in a
// row of that step.
//
// slides/minimal.md has the same for the minimal programs: a page of its own,
// and of each row "NAME: ..." the beginning of that step's page, where the rest
// is folded. slides/lanes/NAME.txt is drawn above it: lanes.mjs.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { c, escape } from '../lib/highlight.mjs';
import { lanes } from '../lib/lanes.mjs';
import { lined, unused } from '../lib/lined.mjs';
import { markdown, slug } from '../lib/markdown.mjs';
import { mistakes, mistakesOf } from '../lib/mistakes.mjs';
import { idOf, linker, resolve, roomOf } from '../lib/names.mjs';
import { MODELS, Missing, allFiles, definition, read } from
    '../lib/source.mjs';
import { inline, listed } from './mistakes.mjs';

const INDEX = 'columns/index.html';

export const section = { title: 'Three columns', href: INDEX,
    says: 'the ten steps of the three models, side by side',
    folder: 'columns/', order: 10 };

// --- Reading the steps -----------------------------------------------------

function parseCell(text, at) {
    if (text.startsWith('-'))
        return { none: text.slice(1).trim() };
    return { items: text.split(/\s*,\s*/).map((pair) => {
        const [file, name, more] = pair.split(/\s+/);
        if (name === undefined || more !== undefined)
            throw new Missing(`${at}: "${pair}" is not "FILE NAME"`);
        return { file, name };
    }) };
}

function parseRows(site, file) {
    const text = readFileSync(path.join(site.root, file), 'utf8');
    const [head, ...parts] = text.split(/^## /m);
    const [, title, note] = head.match(/^# (.*)\n([^]*)$/);
    const rows = parts.map((part) => {
        const lines = part.split('\n');
        const row = { title: lines[0].trim(), cells: {} };
        let i = 1;
        for (; i < lines.length; i++) {
            const cell = lines[i].match(
                /^(threads|processes|evloop|coroutines): *(.*)$/);
            if (cell)
                row.cells[cell[1]] = parseCell(cell[2], file);
            else if (lines[i].trim() !== '' || Object.keys(row.cells).length > 0)
                break;
        }
        row.note = lines.slice(i).join('\n').trim();
        for (const model of MODELS) {
            if (row.cells[model] === undefined)
                throw new Missing(`${file}: "${row.title}" lacks ${model}`);
        }
        return row;
    });
    return { file, title, note: note.trim(), rows };
}

function parseStep(site, name) {
    const [, number, word] = name.match(/^(\d+)-(\w+)\.md$/);
    return { ...parseRows(site, `slides/steps/${name}`), number: Number(number),
        word, page: `columns/${word}.html`, name: `${Number(number)}. ${word}` };
}

const minimals = new Map();

// The minimal programs; each row has the word that it begins with.
function minimal(site) {
    if (!minimals.has(site.root)) {
        const whole = parseRows(site, 'slides/minimal.md');
        whole.page = 'columns/minimal.html';
        for (const row of whole.rows)
            [, row.word, row.title] = row.title.match(/^(\w+): (.*)$/);
        minimals.set(site.root, whole);
    }
    return minimals.get(site.root);
}

const caches = new Map();

export function steps(site) {
    if (!caches.has(site.root))
        caches.set(site.root, readdirSync(path.join(site.root, 'slides/steps'))
            .filter((n) => n.endsWith('.md')).sort()
            .map((n) => parseStep(site, n)));
    return caches.get(site.root);
}

function itemsOf(step) {
    return step.rows.flatMap((row) => Object.values(row.cells)
        .flatMap((cell) => cell.items ?? []));
}

// The steps that a mistake belongs to: those that show its function.
export function stepsOf(site, mistake) {
    return steps(site).filter((step) => itemsOf(step).some((item) =>
        item.file === mistake.file && mistake.functions.includes(item.name)));
}

// Every step_NAME of the three models must be shown. The minimal programs are
// short, and read as a whole; coroutines have the threads' steps.
const APART = /\/minimal(_source)?\.c$|^evloop\/coroutines\//;

function checkComplete(site) {
    const shown = new Set(steps(site).flatMap((step) => itemsOf(step)
        .map((item) => `${step.word} ${item.file} ${item.name}`)));
    const words = new Set(steps(site).map((step) => step.word));
    for (const file of allFiles(site.root).filter((f) => !APART.test(f))) {
        for (const { kind, name } of read(file, site.root).items) {
            const word = name?.match(/^step_(\w+)$/)?.[1];
            if (kind === 'function' && words.has(word) &&
                !shown.has(`${word} ${file} ${name}`))
                site.problems.push(`slides/steps: ${word} does not show ` +
                    `${name} of ${file}`);
        }
    }
}

// --- Drawing them ----------------------------------------------------------

// The comment of a function; of a public one it stands in the header.
export function headerOf(file, name, root) {
    const entry = resolve(file, name, ['prototype'], root);
    return file.endsWith('.c') && entry?.file.endsWith('.h')
        ? read(entry.file, root).items.find((item) => item.name === name &&
            item.kind === 'prototype') : undefined;
}

// One item, or all from one to another.
function pieceOf(file, name, root) {
    const [from, to] = name.split('..').map((n) => definition(file, n, root));
    return to === undefined ? from : { ...from, name: '', comment: ' ',
        full: read(file, root).lines.slice(from.commentFirst - 1, to.last)
            .join('\n') };
}

function quote(site, { file, name }, up) {
    const item = pieceOf(file, name, site.root);
    const header = item.comment === '' && item.kind === 'function'
        ? headerOf(file, name, site.root) : undefined;
    const above = header?.comment ? `/* ${header.comment.replace(/\n/g,
        '\n * ')} */\n` : '';
    const wrong = mistakesOf(site.root, file, name);
    const [word] = name.split('..');
    return `<figure class="quote"><figcaption><a href="${up}source/${file}.html#${
        idOf(definition(file, word, site.root))}">${file}${item.name
        ? `: <b>${name}</b>` : ''}</a></figcaption><pre><code>${
        lined(above + item.full, file, item.name,
            linker(file, up, item, site.root), site.root)}</code></pre>${
        wrong.length === 0 ? '' : `<div class="gone-wrong">${
            listed(site, wrong, up)}</div>`}</figure>`;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b) &&
    a.items !== undefined;

function rowOf(site, step, row, heads, title = row.title) {
    const up = '../';
    const groups = [];
    for (const model of MODELS) {
        const cell = row.cells[model];
        if (groups.length > 0 && same(groups.at(-1).cell, cell))
            groups.at(-1).models.push(model);
        else
            groups.push({ models: [model], cell });
    }
    const id = slug(title);
    if (row.cells.coroutines)
        groups.push({ models: ['coroutines'], cell: row.cells.coroutines });
    const cells = groups.map(({ models, cell }) => {
        const names = models.map((m) => `<b class="tag ${m}">${m}</b>`);
        return `<div class="cell${models[0] === 'coroutines' ? ' fourth' : ''
        }" data-models="${models.join(' ')}"><h3 class="who">${names.join(' and ')}${
            models.length > 1 ? ' <span>share it</span>' : ''}</h3>${
            cell.none !== undefined ? `<p class="none">${
                inline(cell.none)}</p>`
                : cell.items.map((item) => quote(site, item, up)).join('')
        }</div>`;
    });
    heads.push({ id, text: title });
    return `<section class="row" aria-labelledby="${id}"><h2 id="${id}">${
        inline(title)}</h2>${row.note === '' ? ''
        : `<div class="note">${markdown(site, row.note,
            { file: step.file, page: step.page })}</div>`}
<div class="columns of-${row.cells.coroutines ? cells.length - 1
        : cells.length}">${cells.join('')}</div></section>`;
}

// On a narrow screen one model at a time: a choice that works by CSS alone.
const CHOICE = `<fieldset class="choice"><legend>Show</legend>${
    ['all', ...MODELS].map((m, i) => `<label class="${m}"><input type="radio"
name="model" id="show-${m}" value="${m}"${i === 0 ? ' checked' : ''}> <span>${m
    }</span></label>`).join('')}</fieldset>`;

// What the tints mean; and what is hidden until it is asked for.
const KEY = `<div class="key" data-plain><p><span class="l waits">somebody waits
here</span> <span class="l wakes">somebody is let go on</span></p>
<label class="switch"><input type="checkbox" id="show-traces"> show the calls
that write the timeline</label>
<label class="switch"><input type="checkbox" id="show-fourth"> show the minimal
coroutines, too</label></div>`;

// Mistakes in files of this step, but in none of the functions shown.
function nearby(site, step) {
    const files = new Set(itemsOf(step).map((item) => item.file));
    return mistakes(site.root).filter((m) => files.has(m.file) &&
        stepsOf(site, m).length === 0);
}

function stepNav(site, here, up) {
    return `<nav class="steps" aria-label="The ten steps"><ol>${steps(site)
        .map((s) => `<li><a href="${up}${s.page}"${s === here
            ? ' aria-current="page"' : ''}>${s.word}</a></li>`).join('')
    }</ol></nav>`;
}

function makeStep(site, step) {
    const all = steps(site);
    const at = all.indexOf(step);
    const [before, after] = [all[at - 1], all[at + 1]];
    const heads = [];
    const short = minimal(site);
    const first = short.rows.filter(({ word }) => word === step.word)
        .map((row) => rowOf(site, short, row, heads, 'In the minimal programs'));
    const rows = step.rows.map((row) => rowOf(site, step, row, heads));
    const drawn = existsSync(path.join(site.root,
        `slides/lanes/${step.word}.txt`)) ? lanes(site, step.word) : '';
    const near = nearby(site, step);
    site.page({ page: step.page, title: `${step.number}. ${step.title}`,
        kind: 'columns-page', body: `
${stepNav(site, step, '../')}
<h1><span class="number">${step.number}</span> ${escape(step.title)}</h1>
<div class="lead">${markdown(site, step.note,
        { file: step.file, page: step.page })}</div>
${drawn}
${CHOICE}
${KEY}
${first.join('\n')}
<details class="production"><summary><h2>What production adds</h2>
<span>${step.rows.map((row) => inline(row.title)).join('; ')}</span></summary>
${rows.join('\n')}</details>
${near.length === 0 ? '' : `<h2>Mistakes in these files</h2>${
        listed(site, near, '../')}`}
<nav class="turn" aria-label="Steps before and after">${before ? `<a rel="prev"
href="../${before.page}">‹ ${before.name}</a>` : '<span></span>'}${after
    ? `<a rel="next" href="../${after.page}">${after.name} ›</a>` : ''}</nav>` });
}

// The opening comment of each, as prose.
function openings(site) {
    return `<div class="columns of-3">${[...MODELS, 'coroutines'].map((model) => `<div
class="cell${model === 'coroutines' ? ' fourth' : ''}" data-models="${model
        }"><h2 class="who"><b class="tag ${model}">${model}</b></h2>${
        read(`${MODELS.includes(model) ? model : `evloop/${model}`}/minimal.c`,
            site.root).opening.replaceAll('-\n', '-')
            .split(/\n\s*\n/)
            .map((p) => `<p>${escape(p)}</p>`).join('')}</div>`).join('')}</div>`;
}

function makeMinimal(site) {
    const whole = minimal(site);
    const heads = [];
    const rows = whole.rows.map((row) => rowOf(site, whole, row, heads,
        `${row.word[0].toUpperCase()}${row.word.slice(1)}: ${row.title}`));
    site.page({ page: whole.page, title: whole.title, kind: 'columns-page', body: `
<h1>${escape(whole.title)}</h1>
<div class="lead">${markdown(site, whole.note,
        { file: whole.file, page: whole.page })}</div>
${CHOICE}
${KEY}
${openings(site)}
${rows.join('\n')}
<nav class="turn" aria-label="Where to go on"><a rel="prev"
href="../start.html">‹ Start here</a><a rel="next"
href="../timelines/index.html">Timelines ›</a></nav>` });
}

export async function make(site) {
    checkComplete(site);
    try {
        makeMinimal(site);
    } catch (error) {
        if (!(error instanceof Missing))
            throw error;
        site.problems.push(`slides/minimal.md: ${error.message}`);
    }
    for (const step of steps(site)) {
        try {
            makeStep(site, step);
        } catch (error) {
            if (!(error instanceof Missing))
                throw error;
            site.problems.push(`${step.file}: ${error.message}`);
        }
    }
    if (!site.course) // then some stand in no column
        site.problems.push(...unused(site.root));
    const table = steps(site).map((step) => {
        const names = MODELS.map((model) => `<td data-of="${model}">${[...new Set(step.rows
            .flatMap((row) => row.cells[model].items ?? [])
            .map(({ file }) => file))]
            .map((file) => `<a href="../source/${file}.html"><code>${
                roomOf(file) === model ? path.basename(file) : file
            }</code></a>`).join(' ')}</td>`);
        return `<tr><th scope="row"><a href="../${step.page}">${step.name}</a>
<small>${escape(step.title.replace(/^\w+: /, ''))}</small></th>${names.join('')}</tr>`;
    });
    site.page({ page: INDEX, title: 'Three columns', body: `
<h1>Ten steps in three columns</h1>
<p class="lead">The three fetchers go through the same steps under the same
names. Each page shows one step of all three side by side; what differs is how
they wait. It begins with the minimal programs, and what production adds is folded
below. A name leads to its definition, a caption to the whole file. <a
href="minimal.html">The minimal programs, whole</a>; <a href="await.html">a thread
without the kernel</a>: coroutines, line by line; <a href="stackless.html">what a
compiler makes of await</a>.</p>
<div class="table"><table class="overview"><thead><tr><th scope="col">step</th>
${MODELS.map((m) => `<th scope="col"><b class="tag ${m}">${m}</b></th>`).join('')
    }</tr></thead><tbody>${table.join('\n')}</tbody></table></div>` });
}
