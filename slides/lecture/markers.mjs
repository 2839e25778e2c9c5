// markers: what stands between double braces on a slide, as HTML.
//
//     {{code FILE NAME [from=/re/] [to=/re/] [cut=/re/[../re/]]...
//           [mark=/re/]... [size=PX]}}
//     {{py FILE NAME ...}}              the same of a Python program
//     {{pair LABEL | FILE NAME /re/[../re/] | FILE NAME /re/[../re/] ...}}
//     {{figure WORKLOAD[@JOBS] PROGRAM COLUMN}}
//     {{bars WORKLOAD[@JOBS] COLUMN PROGRAM...}}
//     {{best ICON | WHAT | WORKLOAD[@JOBS] COLUMN}}    a row: who is best in it,
//                                       or that there is no difference
//     {{best ICON | WHAT | WORD, ...}}  the same in words; *WORD*: the best
//     {{best}}                          above them: whose column it is
//     {{ahead WORKLOAD[@JOBS] COLUMN}}  who of the three is ahead in every round,
//                                       or not to be told from who is
//     {{weighed WORKLOAD[@JOBS] PROGRAM...}}   memory, its own and the kernel's
//     {{price WAY}}                     of a hand-over, and its spread: a row
//                                       of `triptych-bench switch`
//     {{price-date}}                    when that was measured
//     {{workload NAME FIELD}}           what the bench's table says
//     {{svg NAME}}                      lecture/pictures/NAME.svg, inline
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { workload } from '../lib/check.mjs';
import { compared, figure, price, prices, results } from '../lib/figures.mjs';
import { code, escape } from '../lib/highlight.mjs';
import { idOf } from '../lib/names.mjs';
import { Missing, definition, read } from '../lib/source.mjs';
import { excerpt, picked } from './excerpt.mjs';

export const MARKER = /\{\{([\w-]+)\s*(.*?)\}\}(?!\})/g;

// --- Words -----------------------------------------------------------------

const WORD = /\s*(?:(\w+)=)?(\/(?:\\.|[^/\\])+\/)(?:\.\.(\/(?:\\.|[^/\\])+\/))?(?=\s|$)|\s*(\S+)/gy;

// "a b=/x/../y/ /z/" -> {plain: ['a'], named: {b: [['x', 'y']]}, patterns}
export function parse(text) {
    const found = { plain: [], named: {}, patterns: [] };
    for (const [, key, first, last, plain] of text.trim().matchAll(WORD)) {
        if (plain !== undefined) {
            found.plain.push(plain);
            continue;
        }
        const pair = [first, last].filter(Boolean).map((p) => p.slice(1, -1));
        if (key === undefined)
            found.patterns.push(pair);
        else
            (found.named[key] ??= []).push(pair);
    }
    return found;
}

// --- Code ------------------------------------------------------------------

// Each line by itself, so that one can be marked.
function lineByLine(lines, language) {
    const html = code(lines.map((line) => line.text).join('\n'), language)
        .split('\n');
    return html.map((line, i) => lines[i].mark ? `<mark>${line}</mark>`
        : lines[i].gap ? `<i class="gap">${line}</i>` : line).join('\n');
}

// Where the site shows the whole; undefined where it does not.
function address(site, up, file, name) {
    const page = site.pageOf?.(file);
    if (page === undefined || file.endsWith('.py'))
        return undefined;
    return `${up}${page}#${idOf(definition(file, name, site.root))}`;
}

function caption(site, up, file, name) {
    const shown = name === '*' ? escape(file)
        : `${escape(file)}: <b>${escape(name)}</b>`;
    const to = address(site, up, file, name);
    return to ? `<a href="${to}">${shown}</a>` : shown;
}

// How large the letters can be: by lines, and by the longest.
function size(lines) {
    const longest = Math.max(...lines.map((line) => line.text.length));
    return lines.length <= 14 && longest <= 79 ? 'few'
        : lines.length <= 20 ? 'some' : 'many';
}

function quote(site, up, { plain: [file, name, ...more], named }) {
    const lines = excerpt(file, name, {
        from: named.from?.[0][0], to: named.to?.[0][0],
        cut: named.cut, mark: named.mark }, site.root);
    const language = file.endsWith('.py') ? 'python' : 'c';
    const under = lines[0].text.length > 68 ? ' under' : '';
    const px = more.find((word) => word.startsWith('size='))?.slice(5);
    return `<figure class="code ${size(lines)}${under}"><figcaption>${
        caption(site, up, file, name)}</figcaption><pre${
        px ? ` style="font-size: ${px}px"` : ''}><code>${
        lineByLine(lines, language)}</code></pre></figure>`;
}

function side(site, up, text) {
    const { plain: [file, name], patterns } = parse(text);
    const language = file.endsWith('.py') ? 'python' : 'c';
    const lines = picked(file, name, patterns, site.root);
    return `<div class="in-${language}"><p class="from">${
        caption(site, up, file, name)}</p><pre><code>${
        lineByLine(lines, language)}</code></pre></div>`;
}

function pair(site, up, text) {
    const [label, left, right] = text.split(' | ');
    return `<div class="pair"><p class="label">${escape(label)}</p>${
        side(site, up, left)}${side(site, up, right)}</div>`;
}

// --- Figures ---------------------------------------------------------------

// What can be measured at all. A run of some workloads leaves the others out,
// which is no mistake of the slide; a name that does not exist is.
function check(workload, programs, column, root) {
    const has = (file, name) => read(file, root).text.includes(`"${name}"`);
    const [name] = workload.split('@');
    if (!has('tests/bench/workload.c', name))
        throw new Missing(`the bench has no workload ${name}`);
    for (const program of programs) {
        if (!has('tests/bench/contestant.c', program))
            throw new Missing(`the bench has no contestant ${program}`);
    }
    if (!results(root).columns.includes(column))
        throw new Missing(`the results have no column ${column}`);
}

function measured(workload, program, column, root) {
    try {
        return figure(workload, program, column, root);
    } catch (error) {
        if (error instanceof Missing)
            return undefined;
        throw error;
    }
}

// What is counted is said whole, and as it was asked for.
const ASKED = ['requests', 'ok'];

function said(found, column) {
    return found.unit === '' && (ASKED.includes(column) || found.median < 1000)
        ? Math.round(found.median).toLocaleString('en-GB') : found.text;
}

function number(site, { plain: [workload, program, column] }) {
    check(workload, [program], column, site.root);
    const found = measured(workload, program, column, site.root);
    return found === undefined
        ? '<span class="figure" title="not in this run of the bench">–</span>'
        : `<span class="figure" title="median of ${found.rounds} rounds, ${
            found.spread}">${said(found, column)}</span>`;
}

const MODELS = { threads: 'threads', processes: 'processes', evloop: 'evloop',
    'py-threading': 'threads', 'py-multiprocessing': 'processes',
    'py-asyncio': 'evloop', 'py-aiohttp': 'evloop' };

// What a reader is shown for a program's name.
const LABELS = { floor: 'a minimal client' };

function bars(site, { plain: [workload, column, ...programs] }) {
    check(workload, programs, column, site.root);
    const all = programs.map((program) => ({ program,
        found: measured(workload, program, column, site.root) }));
    const most = Math.max(...all.map(({ found }) => found?.median ?? 0)) || 1;
    const [row, width, left] = [36, 980, 200];
    const drawn = all.map(({ program, found }, i) => {
        const long = (found?.median ?? 0) / most * (width - left - 180);
        const y = i * row;
        return `<text x="${left - 14}" y="${y + 24}" text-anchor="end">${
            LABELS[program] ?? program}</text><rect class="${MODELS[program] ?? 'other'}" x="${
            left}" y="${y + 6}" width="${Math.max(long, 2).toFixed(1)
        }" height="${row - 10}" rx="3"/><text class="value" x="${
            (left + long + 12).toFixed(1)}" y="${y + 24}">${
            found ? said(found, column) : 'not in this run'}</text>`;
    });
    const words = all.map(({ program, found }) =>
        `${LABELS[program] ?? program} ${
            found ? said(found, column) : 'not measured'}`).join(', ');
    return `<svg class="bars" viewBox="0 0 ${width} ${row * all.length
    }" role="img" aria-label="${escape(`${workload}: ${words}`)}">${
        drawn.join('')}</svg>`;
}

// Memory in parts: the program's own, and what the kernel has for it.
const PARTS = [['pss', 'its own', ''], ['kernel_stacks', 'kernel stacks', 'k1'],
    ['page_tables', 'page tables', 'k2'], ['socket_memory', 'sockets', 'k3']];

function weighed(site, { plain: [workload, ...programs] }) {
    check(workload, programs, 'pss', site.root);
    const weigh = (program, column) => results(site.root).columns
        .includes(column) ? measured(workload, program, column, site.root)
        : undefined;
    const known = PARTS.filter(([column], i) => i === 0 ||
        programs.some((p) => weigh(p, column) !== undefined));
    // A part that was not weighed is not drawn: that is not a weight of 0.
    const rows = programs.map((program) => ({ program, parts: known
        .map((part) => ({ part, value: weigh(program, part[0])?.median }))
        .filter(({ value }) => value !== undefined),
    all: measured(workload, program, 'whole', site.root) }));
    const most = Math.max(...rows.map(({ parts }) =>
        parts.reduce((sum, { value }) => sum + value, 0))) || 1;
    const [row, width, left] = [40, 980, 200];
    const drawn = rows.map(({ program, parts, all }, i) => {
        let x = left;
        const y = i * row;
        const boxes = parts.map(({ part, value }) => {
            const long = value / most * (width - left - 140);
            const box = `<rect class="${part[2] || (MODELS[program] ?? 'other')
            }" x="${x.toFixed(1)}" y="${y + 6}" width="${
                Math.max(long, 1).toFixed(1)}" height="${row - 12}"/>`;
            x += long;
            return box;
        });
        return `<text x="${left - 14}" y="${y + 27}" text-anchor="end">${
            LABELS[program] ?? program}</text>${boxes.join('')}<text class="value"
x="${(x + 12).toFixed(1)}" y="${y + 27}">${all ? said(all, 'whole')
            : 'not in this run'}</text>`;
    });
    const key = known.length < 2 ? [] : known.map(([, words, kind], k) => `<rect class="${
        kind || (MODELS[programs[0]] ?? 'other')}" x="${left + k * 190}" y="${rows.length * row + 10}" width="22" height="18"/><text
class="tiny" x="${left + k * 190 + 32}" y="${rows.length * row + 25}">${words}</text>`);
    const unknown = PARTS.filter((part) => !known.includes(part))
        .map(([, words]) => words).join(', ');
    if (unknown)
        key.push(`<text class="tiny" x="${left}" y="${rows.length * row + 25
        }">not measured in this run: ${unknown}</text>`);
    const words = rows.map(({ program, parts, all }) => `${
        LABELS[program] ?? program} ${all ? said(all, 'whole') : 'not measured'}${parts.length < 2 ? ''
        : `: ${parts.map(({ part, value }) => `${part[1]} ${
            Math.round(value * 10) / 10} MiB`).join(', ')}`}`).join('; ') +
        (unknown && `; not measured: ${unknown}`);
    return `<svg class="bars" viewBox="0 0 ${width} ${row * rows.length + 34
    }" role="img" aria-label="${escape(`${workload}: ${words}`)}">${
        drawn.join('')}${key.join('')}</svg>`;
}

// Small pictures of what is compared.
const ICONS = {
    many: '<path d="M6 8h5v5H6zM17 8h5v5h-5zM28 8h5v5h-5zM6 18h5v5H6zM17 18h5v5' +
        'h-5zM28 18h5v5h-5zM6 28h5v5H6zM17 28h5v5h-5zM28 28h5v5h-5z"/>',
    large: '<path d="M6 6h28v28H6z"/>',
    clock: '<path d="M20 4a16 16 0 1 0 .1 0zm-2 6h4v9l7 5-2.4 3.2L18 21z" ' +
        'fill-rule="evenodd"/>',
    memory: '<path d="M8 8h24v24H8zM3 12h5v3H3zM3 19h5v3H3zM3 26h5v3H3zM32 12' +
        'h5v3h-5zM32 19h5v3h-5zM32 26h5v3h-5z"/>',
    processor: '<path d="M11 11h18v18H11zM13 4h3v6h-3zM24 4h3v6h-3zM13 30h3v6' +
        'h-3zM24 30h3v6h-3zM4 13h6v3H4zM4 24h6v3H4zM30 13h6v3h-6zM30 24h6v3h-6z"/>',
    disk: '<path d="M5 10c0-8 30-8 30 0v20c0 8-30 8-30 0zm4 3c6 4 16 4 22 0v4' +
        'c-6 4-16 4-22 0z" fill-rule="evenodd"/>',
    crash: '<path d="M22 3L8 23h9l-3 14 17-21H21z"/>',
    code: '<path d="M13 9L4 20l9 11 3-2.5L9 20l7-8.500zM27 9l9 11-9 11-3-2.5L31' +
        ' 20l-7-8.500z"/>',
};

const THREE = ['threads', 'processes', 'evloop'];

// Those that are behind the best in every round.
const behind = (site, workload, column) =>
    compared(workload, THREE, column, site.root).others
        .filter((one) => one.differs).map((one) => one.program);

function ahead(site, { plain: [workload, column] }) {
    check(workload, THREE, column, site.root);
    if (THREE.some((p) => measured(workload, p, column, site.root) === undefined))
        return '–';
    const worse = behind(site, workload, column);
    return worse.length === 0 ? 'no difference'
        : THREE.filter((p) => !worse.includes(p)).map((p) =>
            p === 'evloop' ? 'event loop' : p).join(', ');
}

function bestRow(site, text) {
    if (text.trim() === '')
        return `<div class="best"><span></span><span></span>${THREE.map((p) =>
            `<p class="model ${p}">${p === 'evloop' ? 'event loop' : p}</p>`)
            .join('')}</div>`;
    const [icon, what, words] = text.trim().split(/\s*\|\s*/);
    if (ICONS[icon] === undefined)
        throw new Missing(`there is no icon ${icon}`);
    const row = (cells, more = '') => `<div class="best"><svg viewBox="0 0 40 40"
aria-hidden="true">${ICONS[icon]}</svg><p class="what">${escape(what)}${more
    }</p>${cells}</div>`;
    if (words.includes(','))
        return row(words.split(/\s*,\s*/).map((word, i) => {
            const [, first] = word.match(/^\*(.*)\*$/) ?? [];
            return `<p class="${first ? `is ${THREE[i]}` : 'plain'}">${
                escape(first ?? word)}</p>`;
        }).join(''));
    const { plain: [workload, column] } = parse(words);
    check(workload, THREE, column, site.root);
    if (THREE.some((p) => measured(workload, p, column, site.root) === undefined))
        return row('', ' <small>not in this run of the bench</small>');
    const worse = behind(site, workload, column);
    const cell = (program, kind) => `<p class="${kind} ${program}">${
        number(site, { plain: [workload, program, column] })}</p>`;
    if (worse.length === 0)
        return row(THREE.map((p) => cell(p, 'same')).join(''),
            ' <small>no difference</small>');
    return row(THREE.map((p) => cell(p, worse.includes(p) ? 'plain'
        : 'is')).join(''));
}

// --- Pictures --------------------------------------------------------------

let drawn = 0;

// Ids within a picture are made the picture's own: several stand on one page.
export function picture(site, { plain: [name] }) {
    const file = path.join(site.tools, 'lecture/pictures', `${name}.svg`);
    if (!existsSync(file))
        throw new Missing(`there is no picture ${name}`);
    const prefix = `p${++drawn}-`;
    return readFileSync(file, 'utf8')
        .replace(/<\?xml[^]*?\?>\s*|<!--[^]*?-->\s*|<!DOCTYPE[^>]*>\s*/g, '')
        .replace(/\bid=(["'])(.*?)\1/g, `id="${prefix}$2"`)
        .replace(/url\((["']?)#(.*?)\1\)/g, `url(#${prefix}$2)`)
        .replace(/(href|aria-labelledby)=(["'])#?(.*?)\2/g, (_, key, mark, id) =>
            key === 'href' ? `href="#${prefix}${id}"`
                : `aria-labelledby="${prefix}${id}"`);
}

// The HTML of one marker. Throws Missing.
export function marker(site, up, kind, text) {
    switch (kind) {
    case 'code':
    case 'py':
        return quote(site, up, parse(text));
    case 'pair':
        return pair(site, up, text);
    case 'figure':
        return number(site, parse(text));
    case 'bars':
        return bars(site, parse(text));
    case 'weighed':
        return weighed(site, parse(text));
    case 'best':
        return bestRow(site, text);
    case 'ahead':
        return ahead(site, parse(text));
    case 'price': {
        const { text: middle, spread } = price(text.trim(), site.root);
        return `<span class="figure" title="median">${middle}</span> <span
class="spread">${spread}</span>`;
    }
    case 'price-date':
        return prices(site.root).date;
    case 'workload':
        return workload(...parse(text).plain, site.root);
    case 'svg':
        return picture(site, parse(text));
    default:
        throw new Missing(`there is no marker ${kind}`);
    }
}
