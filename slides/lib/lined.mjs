// lined: code for narrow columns, a span a line, so that nothing is cut: a line
// that is too long goes on below itself, indents are narrower (by CSS), a
// comment of several lines flows as one. Calls of trace_ are marked, to be
// hidden; and the lines at which somebody waits or is woken: slides/waits.txt.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { c, escape } from './highlight.mjs';
import { Missing } from './source.mjs';

const FILE = 'slides/waits.txt';
const caches = new Map();

// {waits: [{file, name, used}], wakes: [...]}
export function waits(root) {
    if (!caches.has(root)) {
        const found = { waits: [], wakes: [] };
        for (const line of readFileSync(path.join(root, FILE), 'utf8')
            .split('\n').filter((l) => l !== '' && !l.startsWith('#'))) {
            const [, kind, words] = line.match(/^(waits|wakes): (.*)$/) ?? [];
            if (kind === undefined)
                throw new Missing(`${FILE}: "${line}" is not understood`);
            found[kind].push(...words.split(/\s+/).map((word) => {
                const [name, file] = word.split(':').reverse();
                return { name, file, used: false };
            }));
        }
        caches.set(root, found);
    }
    return caches.get(root);
}

// Names of waits.txt that no column has shown.
export function unused(root) {
    return Object.values(waits(root)).flat().filter((w) => !w.used)
        .map((w) => `${FILE}: no column shows ${w.file ? `${w.file}:` : ''}${
            w.name}`);
}

// What a line does to somebody: '', 'waits' or 'wakes'.
function tint(text, file, self, root) {
    if (/^slides\/start\//.test(file))
        return /\/\*.*\bsleeps\b/.test(text) ? 'waits' : '';
    if (/\bstackless[/.]/.test(file)) // its calls sleep, all with them
        return /\/\* await\b/.test(text) ? 'waits' : '';
    const bare = text.replace(/\/\*.*?(\*\/|$)/g, '').replace(/"[^"]*"/g, '');
    for (const [kind, list] of Object.entries(waits(root))) {
        for (const word of list) {
            if ((word.file ?? file) !== file || word.name === self ||
                !new RegExp(`(?<![\\w.>])${word.name}\\(`).test(bare))
                continue;
            word.used = true;
            return kind;
        }
    }
    return '';
}

// For each line of the code: undefined, or how it is gathered:
// {first, last} of a comment that is prose.
function comments(lines) {
    const found = new Map();
    for (let i = 0; i < lines.length; i++) {
        if (!/^\s*\/\*/.test(lines[i]))
            continue;
        let last = i;
        while (!lines[last].includes('*/'))
            last++;
        const inner = lines.slice(i, last + 1).map((l) =>
            l.replace(/^\s*(\/\*+|\*(?!\/))?/, ''));
        const drawn = inner.some((l) => /^ {3,}\S|\S {3,}\S/.test(l));
        if (last > i && !drawn && /\*\/\s*$/.test(lines[last])) {
            for (let k = i; k <= last; k++)
                found.set(k, { first: i, last });
        }
        i = last;
    }
    return found;
}

// The lines of statements trace_...(...); with the `if` that guards one.
function traces(lines) {
    const found = new Set();
    for (let i = 0; i < lines.length; i++) {
        if (!/^\s*trace_\w+\(/.test(lines[i]))
            continue;
        let last = i;
        while (!/;\s*(\/\*.*\*\/)?\s*$/.test(lines[last]))
            last++;
        const before = lines[i - 1] ?? '';
        const guard = /^\s*if \(.*\)\s*$/.test(before);
        const other = /^\s*(\} )?else\b/.test(lines[last + 1] ?? '');
        if (other || (!guard && /(\)|\belse|\bdo)\s*$/.test(before)))
            continue;
        for (let k = guard ? i - 1 : i; k <= last; k++)
            found.add(k);
        i = last;
    }
    return found;
}

const indent = (text) => text.match(/^ */)[0].length;

export function lined(text, file, self, link, root) {
    const lines = text.split('\n');
    const html = c(text, link).split('\n');
    const flows = comments(lines);
    const traced = traces(lines);
    const out = [];
    for (let i = 0; i < lines.length; i++) {
        const flow = flows.get(i);
        const n = indent(lines[i]);
        const end = i === lines.length - 1 ? '' : '\n';
        const style = n > 0 ? ` style="--n:${n}"` : '';
        if (flow) {
            const rest = lines.slice(i, flow.last + 1).map((line, k) => k === 0
                ? escape(line) : line.replace(/^(\s*(?:\*(?!\/) ?)?)(.*)$/,
                    (_, star, words) => `<i class="in">${star}</i>${
                        escape(words)}`)).join('\n');
            out.push(`<span class="l flow c"${style}>${rest}${
                flow.last === lines.length - 1 ? '' : '\n'}</span>`);
            i = flow.last;
            continue;
        }
        // Not to be parted.
        html[i] = html[i].replaceAll('-&gt;', '<i class="nb">-&gt;</i>')
            .replace(/( +)(?=<span class="c">)/, (all) => all.length < 2 ? all
                : ` <i class="in">${all.slice(1)}</i>`);
        const kind = [traced.has(i) ? 'traced' : '',
            tint(lines[i], file, self, root)].filter(Boolean).join(' ');
        out.push(`<span class="l${kind && ` ${kind}`}"${style}>${n > 0
            ? html[i].replace(/^( *)/, '<i class="in">$1</i>') : html[i]}${end
        }</span>`);
    }
    return out.join('');
}
