// markers: what stands between double braces on a slide, as HTML.
//
//     {{code FILE NAME [from=/re/] [to=/re/] [cut=/re/[../re/]]...
//           [mark=/re/]... [size=PX]}}
//     {{py FILE NAME ...}}              the same of a Python program
//     {{pair LABEL | FILE NAME /re/[../re/] | FILE NAME /re/[../re/] ...}}
//     {{figure WORKLOAD[@JOBS] PROGRAM COLUMN}}
//     {{bars WORKLOAD[@JOBS] COLUMN PROGRAM...}}
//     {{price WAY}}                     of a hand-over, and its spread: a row
//                                       of `triptych-bench switch`
//     {{price-date}}                    when that was measured
//     {{workload NAME FIELD}}           what the bench's table says
//     {{svg NAME}}                      lecture/pictures/NAME.svg, inline
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { workload } from '../lib/check.mjs';
import { figure, price, prices, results } from '../lib/figures.mjs';
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
