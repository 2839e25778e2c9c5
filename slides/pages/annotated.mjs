// annotated: every source file of the rooms, its comments left and its code
// right, names linked to their definitions; a map of the calls; a search.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { c, escape } from '../lib/highlight.mjs';
import { mistakesOf } from '../lib/mistakes.mjs';
import { calls, idOf, index, linker, moduleOf, resolve, roomOf, sourceHref }
    from '../lib/names.mjs';
import { ROOMS, allFiles, filesOf, prose, read, tokens } from
    '../lib/source.mjs';
import { headerOf, steps } from './columns.mjs';
import { listed } from './mistakes.mjs';

const INDEX = 'source/index.html';

export const section = { title: 'Source', href: INDEX, folder: 'source/',
    says: 'every file, its comments beside its code, with search',
    order: 20 };

const ROOM_SAYS = {
    common: 'what the three share; of it only blocking ever waits',
    threads: 'a bounded queue, a pool of workers, a turn',
    processes: 'a pool of forked workers, frames over pipes, reaping',
    evloop: 'one libevent loop, a connection each, streams with drain',
    coroutines: 'straight code on that loop: a stack each, groups, a switch',
};

// --- Prose -----------------------------------------------------------------

// A comment's text as HTML: paragraphs, and what is indented as it stands.
// Names in it are links, if they look like names of code.
function prosed(text, file, up, root) {
    const link = (line) => escape(line).replace(/`([^`]+)`/g,
        '<code>$1</code>').replace(/(?<!\S)-E[A-Z]+\b/g,
        '<span class="errno">$&</span>').replace(/\b[A-Za-z_]\w+\b/g, (word) => {
        if (!/_/.test(word))
            return word;
        const entry = resolve(file, word, undefined, root) ??
            resolve(file.replace(/h$/, 'c'), word, undefined, root);
        return entry === undefined ? word
            : `<a href="${up}${sourceHref(entry)}">${word}</a>`;
    });
    const blocks = text.split(/\n\s*\n/);
    return blocks.map((block) => {
        const lines = block.split('\n');
        const drawn = lines.filter((l) => /^ {2,}\S|\S {3,}\S/.test(l)).length;
        if (drawn > 0 && drawn * 2 >= lines.length)
            return `<pre class="drawn">${link(block)}</pre>`;
        const out = [];
        let list = false;
        for (const line of lines) {
            const item = line.match(/^- (.*)/);
            if (item) {
                out.push(list ? `</li><li>${link(item[1])}`
                    : `<ul><li>${link(item[1])}`);
                list = true;
            } else {
                out.push(link(line.trim()));
            }
        }
        const inside = `${out.join('\n')}${list ? '</li></ul>' : ''}`;
        return list ? inside.replace(/^([^]*?)<ul>/, (_, p) =>
            p.trim() ? `<p>${p}</p><ul>` : '<ul>') : `<p>${inside}</p>`;
    }).join('\n');
}

// --- Cutting a file --------------------------------------------------------

const SECTION = /^\/\* --- (.*?) -+ \*\/$/;

// [{heading} | {prose, code, item?, first}]: the file from top to bottom.
function segments(whole) {
    const list = [];
    const { lines, items } = whole;
    const starts = new Map(items.map((item) => [item.commentFirst, item]));
    let line = whole.text.startsWith('/*')
        ? whole.text.slice(0, whole.text.indexOf('*/')).split('\n').length : 0;
    let loose = []; // lines of no item
    let looseFirst = 0;
    const flush = () => {
        const text = loose.join('\n').replace(/^\n+|\s+$/g, '');
        loose = [];
        if (text === '')
            return;
        const first = looseFirst;
        const comment = text.match(/^\/\*[^]*?\*\/(?=\n|$)/);
        if (comment) {
            const rest = text.slice(comment[0].length).replace(/^\n+|\s+$/g, '');
            list.push({ prose: prose(comment[0]), code: rest, first });
        } else {
            list.push({ prose: '', code: text, first });
        }
    };
    while (line < lines.length) {
        const number = line + 1;
        const heading = lines[line].match(SECTION);
        const item = starts.get(number);
        if (heading) {
            flush();
            list.push({ heading: heading[1], first: number });
            line++;
        } else if (item !== undefined) {
            flush();
            list.push({ prose: item.comment, code: item.code, item,
                first: item.first });
            line = item.last;
        } else {
            if (loose.length === 0)
                looseFirst = number;
            else if (lines[line] === '')
                flush();
            if (lines[line] !== '')
                loose.push(lines[line]);
            line++;
        }
    }
    flush();
    return gather(list);
}

// Neighbours without prose stand as one block: includes, forward declarations.
function gather(list) {
    const out = [];
    for (const part of list) {
        const last = out.at(-1);
        const small = (p) => p && p.heading === undefined && p.prose === '' &&
            !['function', 'struct', 'enum'].includes(p.item?.kind);
        if (small(part) && small(last) && part.code !== '') {
            const gap = part.first - last.first -
                last.code.split('\n').length;
            last.code += '\n'.repeat(1 + Math.min(gap, 1)) + part.code;
            last.items = [...(last.items ?? [last.item]), part.item]
                .filter(Boolean);
            last.item = undefined;
        } else {
            out.push({ ...part });
        }
    }
    return out;
}

// --- The map of calls ------------------------------------------------------

// How many names go from module to module, as {module: [names]}.
function neighbours(module, root) {
    const [into, outOf] = [new Map(), new Map()];
    const add = (map, key, name) =>
        map.set(key, [...(map.get(key) ?? []), name]);
    for (const { from, to, name } of calls(root)) {
        if (to === module)
            add(into, from, name);
        if (from === module)
            add(outOf, to, name);
    }
    const order = ([a], [b]) => ROOMS.indexOf(roomOf(a)) -
        ROOMS.indexOf(roomOf(b)) || (a < b ? -1 : 1);
    return { into: [...into].sort(order), outOf: [...outOf].sort(order) };
}

// The page that a module is read on: its code, if it has some.
function pageOfModule(module, root) {
    const files = allFiles(root);
    return `source/${files.includes(`${module}.c`) ? `${module}.c`
        : `${module}.h`}.html`;
}

function box(module, x, y, width, up, root, names, self) {
    const text = `<rect x="${x}" y="${y}" width="${width}" height="22" rx="3"
class="${roomOf(module)}"/><text x="${x + width / 2}" y="${y + 15}">${module
    }${names ? ` <tspan>${names.length}</tspan>` : ''}</text>`;
    return self ? `<g class="self">${text}</g>`
        : `<a href="${up}${pageOfModule(module, root)}"><title>${
            names.join(', ')}</title>${text}</a>`;
}

const LINE = 27; // from one box to the next below it

// The module in the middle, who calls it to the left, whom it calls to the
// right. A side that is empty takes no room.
function wideMap(module, { into, outOf }, up, root) {
    const [side, gap, self] = [200, 62, 190];
    const height = Math.max(into.length, outOf.length) * LINE + 6;
    const middle = height / 2;
    const at = into.length > 0 ? side + gap : 0;
    const width = at + self + (outOf.length > 0 ? gap + side : 0);
    const drawn = (list, x) => list.map(([name, names], i) => {
        const y = middle - (list.length * LINE) / 2 + i * LINE + 2.5;
        const [x1, x2] = x === 0 ? [side, at] : [at + self, x];
        const [y1, y2] = x === 0 ? [y + 11, middle] : [middle, y + 11];
        return `<path d="M${x1} ${y1}C${x1 + 35} ${y1} ${x2 - 35} ${y2} ${
            x2} ${y2}" stroke-width="${Math.min(1 + names.length / 3, 5)}"/>${
            box(name, x, y, side, up, root, names)}`;
    }).join('');
    return { width, height, drawn: `${drawn(into, 0)}${
        drawn(outOf, at + self + gap)}${
        box(module, at, middle - 11, self, up, root, null, true)}` };
}

// The same below each other, for a narrow screen: each further to the right.
function narrowMap(module, { into, outOf }, up, root) {
    const [side, step] = [220, 40];
    const at = into.length > 0 ? step : 0;
    const y = (row) => row * LINE + 2.5;
    const own = y(into.length);
    const callers = into.map(([name, names], i) => `<path d="M${side} ${
        y(i) + 11}H${side + step / 2}V${own}"/>${
        box(name, 0, y(i), side, up, root, names)}`);
    const called = outOf.map(([name, names], i) => {
        const top = y(into.length + 1 + i);
        return `<path d="M${at + step / 2} ${own + 22}V${top + 11}H${
            at + step}"/>${box(name, at + step, top, side, up, root, names)}`;
    });
    return { width: at + side + (outOf.length > 0 ? step : 0) + 1,
        height: y(into.length + 1 + outOf.length) + 3,
        drawn: [...callers, ...called,
            box(module, at, own, side, up, root, null, true)].join('') };
}

export function callMap(module, up, root) {
    const all = neighbours(module, root);
    const { into, outOf } = all;
    if (into.length + outOf.length === 0)
        return '';
    const svg = (kind, { width, height, drawn }) => `<svg class="${kind}"
viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"
role="group" aria-label="Who calls ${module}, and whom it calls">${drawn}</svg>`;
    const said = (list) => list.map(([name, names]) =>
        `<li><a href="${up}${pageOfModule(name, root)}">${name}</a>: ${
            names.map((n) => `<code>${n}</code>`).join(', ')}</li>`).join('');
    return `<figure class="map"><div class="scroll">${
        svg('wide', wideMap(module, all, up, root))}${
        svg('narrow', narrowMap(module, all, up, root))
    }</div><details><summary>Who calls it, whom it calls: by
function</summary>${into.length ? `<p>Called by</p><ul>${said(into)}</ul>` : ''
    }${outOf.length ? `<p>Calls</p><ul>${said(outOf)}</ul>` : ''
    }</details></figure>`;
}

// --- Pages -----------------------------------------------------------------

function stepsShowing(site, file, name) {
    return steps(site).filter((step) => step.rows.some((row) =>
        Object.values(row.cells).some((cell) => cell.items?.some((item) =>
            item.file === file && item.name === name))));
}

// Lines of more than one item are linked by each item's own rules.
function codeOf(site, file, part, up) {
    return c(part.code, linker(file, up, part.item, site.root));
}

function notesOf(site, file, part, up) {
    const { item } = part;
    if (!item)
        return part.prose ? prosed(part.prose, file, up, site.root) : '';
    let text = part.prose ? prosed(part.prose, file, up, site.root) : '';
    const header = item.kind === 'function' ? headerOf(file, item.name,
        site.root) : undefined;
    if (header) {
        const said = header.comment
            ? prosed(header.comment, file, up, site.root) : '';
        text += `<div class="from-header">${said}<p class="aside"><a href="${up
        }source/${header.file}.html#${idOf(header)}">${header.file}</a></p></div>`;
    }
    if (item.kind === 'function') {
        const shown = stepsShowing(site, file, item.name);
        if (shown.length > 0)
            text += `<p class="aside">In three columns: ${shown.map((s) =>
                `<a href="${up}${s.page}">${s.name}</a>`).join(', ')}</p>`;
        const wrong = mistakesOf(site.root, file, item.name);
        if (wrong.length > 0)
            text += `<div class="gone-wrong">${listed(site, wrong, up)}</div>`;
    }
    return text;
}

function makeFile(site, file) {
    const page = `source/${file}.html`;
    const up = site.up(page);
    const whole = read(file, site.root);
    const taken = new Set();
    const anchor = (item) => {
        const id = idOf(item);
        if (taken.has(id))
            return '';
        taken.add(id);
        return ` id="${id}"`;
    };
    const toc = [];
    let level = 'h2'; // of a name's heading; lower within a part
    // A definition has the anchor rather than its forward declaration.
    const body = segments(whole).map((part) => {
        if (part.heading !== undefined) {
            level = 'h3';
            return `<h2 class="part">${escape(part.heading)}</h2>`;
        }
        const inside = part.items ?? (part.item ? [part.item] : []);
        const marks = inside.slice(1).map((i) => `<i${anchor(i)}></i>`);
        const first = inside[0];
        if (first && ['function', 'struct', 'enum', 'prototype']
            .includes(first.kind) && first.name)
            toc.push(first);
        const name = first && part.item && first.name
            ? `<${level} class="item">${['struct', 'enum'].includes(first.kind)
                ? `${first.kind} ` : ''}${escape(first.name)}</${level}>` : '';
        return `<section class="seg"${first ? anchor(first) : ''
        }><div class="prose">${marks.join('')}${name}${
            notesOf(site, file, part, up)}</div>${part.code === ''
            ? '<div></div>' : `<pre class="code"><code>${
                codeOf(site, file, part, up)}</code></pre>`}</section>`;
    });
    const twin = file.endsWith('.c') ? file.replace(/c$/, 'h')
        : file.replace(/h$/, 'c');
    const hasTwin = allFiles(site.root).includes(twin);
    const files = filesOf(roomOf(file), site.root);
    const at = files.indexOf(file);
    site.page({ page, title: file, kind: `annotated ${roomOf(file)}`, body: `
<p class="crumbs"><a href="${up}${INDEX}">Source</a> / <a href="${up}${INDEX
    }#${roomOf(file)}">${roomOf(file)}</a>${hasTwin ? ` <span>its other half:
<a href="${up}source/${twin}.html">${path.basename(twin)}</a></span>` : ''}</p>
<h1>${file}</h1>
<div class="lead">${prosed(whole.opening, file, up, site.root)}</div>
${callMap(moduleOf(file), up, site.root)}
<details class="toc"><summary>In this file: ${toc.length} names</summary><ul>${
    [...new Map(toc.map((i) => [idOf(i), i])).values()].map((i) =>
        `<li><a href="#${idOf(i)}">${i.name}</a></li>`).join('')}</ul></details>
${body.join('\n')}
<nav class="turn" aria-label="Files before and after">${at > 0 ? `<a rel="prev"
href="${up}source/${files[at - 1]}.html">‹ ${files[at - 1]}</a>`
        : '<span></span>'}${files[at + 1] ? `<a rel="next" href="${up}source/${
        files[at + 1]}.html">${files[at + 1]} ›</a>` : ''}</nav>` });
}

// What search looks through: [name, kind, file, id, comment].
function searchable(site) {
    const list = [];
    for (const file of allFiles(site.root)) {
        const whole = read(file, site.root);
        list.push([file, 'file', file, '', whole.opening]);
        for (const item of whole.items) {
            if (!item.name || /^TRIPTYCH_.*_H$/.test(item.name) ||
                (item.kind === 'prototype' && item.isStatic))
                continue;
            const inner = tokens(item.code).filter((t) => t.type === 'comment')
                .map((t) => prose(t.text)).join(' ');
            list.push([item.name, item.kind, file, idOf(item),
                [item.comment, item.constants.join(' '), inner].join(' ')
                    .replace(/\s+/g, ' ').trim()]);
        }
    }
    return list;
}

function firstSentence(file, root) {
    const text = read(file, root).opening.replace(/^[\w.-]+: /, '');
    return text.split(/\n\s*\n/)[0].replace(/\s+/g, ' ')
        .replace(/ See [\w.]+\.h\.$/, '').replace(/^(.{20,}?[.;:])( .*|$)/, '$1')
        .replace(/[;:]$/, '.');
}

// A header and its source together.
function modulesOf(room, root) {
    const modules = new Map();
    for (const file of filesOf(room, root))
        modules.set(moduleOf(file), [...modules.get(moduleOf(file)) ?? [], file]);
    return [...modules.values()];
}

function makeIndex(site) {
    const up = '../';
    site.file('source/search-data.js',
        `window.TRIPTYCH_NAMES=${JSON.stringify(searchable(site))};\n`);
    site.copy(path.join(site.tools, 'node_modules/minisearch/dist/umd/index.js'),
        'script/minisearch.js');
    const rooms = ROOMS.map((room) => `<section><h2 id="${room}"><b class="tag ${
        room}">${room}</b> <small>${ROOM_SAYS[room]}</small></h2>
<dl class="files">${modulesOf(room, site.root).map((files) =>
        `<div><dt>${files.map((file) => `<a href="${up}source/${file}.html">${
            path.basename(file)}</a>`).join(' ')}</dt>
<dd>${escape(firstSentence(files[0], site.root))}</dd></div>`).join('')
    }</dl></section>`);
    const names = [...index(site.root)].filter(([, list]) =>
        list.some((e) => e.kind !== 'prototype')).map(([name, list]) =>
        [name, list.find((e) => e.kind !== 'prototype')])
        .filter(([name]) => !/^TRIPTYCH_.*_H$/.test(name))
        .sort(([a], [b]) => a.toLowerCase() < b.toLowerCase() ? -1 : 1);
    site.page({ page: INDEX, title: 'The annotated source', kind: 'source-index',
        scripts: ['script/minisearch.js', 'source/search-data.js',
            'script/search.js'],
        body: `
<h1>The annotated source</h1>
<p class="lead">Every file of the five rooms, its comments beside its code. A
name leads to where it is defined; a map on each page shows who calls whom.</p>
<form id="search" role="search" hidden><label for="query">Search names and
comments</label> <input id="query" type="search" autocomplete="off"
spellcheck="false"><p id="found" role="status"></p><ol id="results"></ol></form>
${rooms.join('\n')}
<details class="names"><summary>All ${names.length} names</summary><ul>${
    names.map(([name, e]) => `<li><a href="${up}${sourceHref(e)}">${name}</a></li>`)
        .join('')}</ul></details>` });
}

export async function make(site) {
    for (const file of allFiles(site.root))
        makeFile(site, file);
    makeIndex(site);
}
