// columns: the ten steps, each a page with the three models side by side.
//
// slides/steps/NN-name.md has a title, a note, and rows:
//
//     ## What the row shows
//     threads: threads/fetch.c step_take, threads/queue.c queue_take
//     processes: processes/worker.c step_take
//     evloop: - nobody waits for a job
//
//     A note on the row.
//
// What two models share is shown once, over two columns. Every function that
// is called step_NAME must be in a row of that step.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { c, escape } from '../lib/highlight.mjs';
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

function parseStep(site, name) {
    const file = `slides/steps/${name}`;
    const text = readFileSync(path.join(site.root, file), 'utf8');
    const [head, ...parts] = text.split(/^## /m);
    const [, title, note] = head.match(/^# (.*)\n([^]*)$/);
    const rows = parts.map((part) => {
        const lines = part.split('\n');
        const row = { title: lines[0].trim(), cells: {} };
        let i = 1;
        for (; i < lines.length; i++) {
            const cell = lines[i].match(/^(threads|processes|evloop): *(.*)$/);
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
    const [, number, word] = name.match(/^(\d+)-(\w+)\.md$/);
    return { file, number: Number(number), word, title, note: note.trim(), rows,
        page: `columns/${word}.html`, name: `${Number(number)}. ${word}` };
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
// short, and read as a whole.
const APART = /\/minimal(_steps)?\.c$/;

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

function quote(site, { file, name }, up) {
    const item = definition(file, name, site.root);
    const header = item.comment === '' && item.kind === 'function'
        ? headerOf(file, name, site.root) : undefined;
    const above = header?.comment ? c(`/* ${header.comment.replace(/\n/g,
        '\n * ')} */\n`) : '';
    const wrong = mistakesOf(site.root, file, name);
    return `<figure class="quote"><figcaption><a href="${up}source/${file}.html#${
        idOf(item)}">${file}: <b>${name}</b></a></figcaption><pre><code>${above}${
        c(item.full, linker(file, up, item, site.root))}</code></pre>${
        wrong.length === 0 ? '' : `<div class="gone-wrong">${
            listed(site, wrong, up)}</div>`}</figure>`;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b) &&
    a.items !== undefined;

function rowOf(site, step, row, heads) {
    const up = '../';
    const groups = [];
    for (const model of MODELS) {
        const cell = row.cells[model];
        if (groups.length > 0 && same(groups.at(-1).cell, cell))
            groups.at(-1).models.push(model);
        else
            groups.push({ models: [model], cell });
    }
    const id = slug(row.title);
    const cells = groups.map(({ models, cell }) => {
        const names = models.map((m) => `<b class="tag ${m}">${m}</b>`);
        return `<div class="cell" data-models="${
            models.join(' ')}"><h3 class="who">${names.join(' and ')}${
            models.length > 1 ? ' <span>share it</span>' : ''}</h3>${
            cell.none !== undefined ? `<p class="none">${
                inline(cell.none)}</p>`
                : cell.items.map((item) => quote(site, item, up)).join('')
        }</div>`;
    });
    heads.push({ id, text: row.title });
    return `<section class="row" aria-labelledby="${id}"><h2 id="${id}">${
        inline(row.title)}</h2>${row.note === '' ? ''
        : `<div class="note">${markdown(site, row.note,
            { file: step.file, page: step.page })}</div>`}
<div class="columns of-${cells.length}">${cells.join('')}</div></section>`;
}

// On a narrow screen one model at a time: a choice that works by CSS alone.
const CHOICE = `<fieldset class="choice"><legend>Show</legend>${
    ['all', ...MODELS].map((m, i) => `<label class="${m}"><input type="radio"
name="model" id="show-${m}" value="${m}"${i === 0 ? ' checked' : ''}> <span>${m
    }</span></label>`).join('')}</fieldset>`;

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
    const rows = step.rows.map((row) => rowOf(site, step, row, heads));
    const near = nearby(site, step);
    site.page({ page: step.page, title: `${step.number}. ${step.title}`,
        kind: 'columns-page', body: `
${stepNav(site, step, '../')}
<h1><span class="number">${step.number}</span> ${escape(step.title)}</h1>
<div class="lead">${markdown(site, step.note,
        { file: step.file, page: step.page })}</div>
${CHOICE}
${rows.join('\n')}
${near.length === 0 ? '' : `<h2>Mistakes in these files</h2>${
        listed(site, near, '../')}`}
<nav class="turn" aria-label="Steps before and after">${before ? `<a rel="prev"
href="../${before.page}">‹ ${before.name}</a>` : '<span></span>'}${after
    ? `<a rel="next" href="../${after.page}">${after.name} ›</a>` : ''}</nav>` });
}

export async function make(site) {
    checkComplete(site);
    for (const step of steps(site)) {
        try {
            makeStep(site, step);
        } catch (error) {
            if (!(error instanceof Missing))
                throw error;
            site.problems.push(`${step.file}: ${error.message}`);
        }
    }
    const table = steps(site).map((step) => {
        const names = MODELS.map((model) => `<td>${[...new Set(step.rows
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
they wait. A name leads to its definition, a caption to the whole file.</p>
<div class="table"><table class="overview"><thead><tr><th scope="col">step</th>
${MODELS.map((m) => `<th scope="col"><b class="tag ${m}">${m}</b></th>`).join('')
    }</tr></thead><tbody>${table.join('\n')}</tbody></table></div>` });
}
