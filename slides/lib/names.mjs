// names: where each name of the source is defined, seen from a file, and which
// files call which.
import path from 'node:path';
import { ROOMS, ROOT, allFiles, read, tokens } from './source.mjs';

const RANK = { function: 0, struct: 0, enum: 0, union: 0, macro: 0, typedef: 0,
    variable: 1, prototype: 2 };

const indices = new Map();

// name -> [{file, name, kind, isStatic, first, id}], best first.
export function index(root = ROOT) {
    if (indices.has(root))
        return indices.get(root);
    const all = new Map();
    const add = (name, entry) => {
        if (!all.has(name))
            all.set(name, []);
        all.get(name).push(entry);
    };
    for (const file of allFiles(root)) {
        for (const item of read(file, root).items) {
            const entry = { file, name: item.name, kind: item.kind,
                isStatic: item.isStatic, first: item.first, id: idOf(item) };
            if (item.name)
                add(item.name, entry);
            for (const constant of item.constants)
                add(constant, { ...entry, kind: 'constant', name: constant });
        }
    }
    for (const list of all.values())
        list.sort((a, b) => (RANK[a.kind] ?? 0) - (RANK[b.kind] ?? 0));
    indices.set(root, all);
    return all;
}

// The anchor of an item on its file's page. A struct may be called like a
// function.
export function idOf(item) {
    const kind = ['struct', 'enum', 'union'].includes(item.kind)
        ? `${item.kind}-` : '';
    const tail = item.kind === 'prototype' ? '.h' : '';
    return item.name ? `${kind}${item.name}${tail}` : `line-${item.first}`;
}

export function roomOf(file) {
    return file.startsWith('evloop/coroutines/') ? 'coroutines'
        : file.split('/')[0];
}

// Where else a room's names may be from.
function neighboursOf(room) {
    return room === 'coroutines' ? ['common', 'evloop']
        : room === 'evloop' ? ['common', 'evloop', 'evloop/disks']
            : ['common'];
}

// The definition that NAME means in `file`: its own, its room's, common's. A
// name that is static elsewhere is none. Without a file: where there is one
// only.
export function resolve(file, name, kinds, root = ROOT) {
    const list = (index(root).get(name) ?? []).filter((e) =>
        kinds === undefined || kinds.includes(e.kind));
    if (file === undefined) {
        const best = list.filter((e) => e.kind !== 'prototype');
        return best.length === 1 ? best[0] : undefined;
    }
    return list.find((e) => e.file === file) ??
        list.find((e) => !e.isStatic && roomOf(e.file) === roomOf(file)) ??
        list.find((e) => !e.isStatic &&
            neighboursOf(roomOf(file)).includes(roomOf(e.file)));
}

export function sourceHref(entry) {
    return `source/${entry.file}.html#${entry.id}`;
}

const TAGS = ['struct', 'enum', 'union'];
const VALUES = ['function', 'macro', 'variable', 'prototype', 'constant',
    'typedef'];

// For highlight: what a word of `file` links to, if anything. `self` is the
// item that the word stands in.
export function linker(file, up, self, root = ROOT) {
    return (word, before, after, type) => {
        if (type === 'string') {
            const name = word.slice(1, -1);
            if (!/^"[\w.]+\.h"$/.test(word))
                return undefined;
            const files = allFiles(root);
            const found = [path.dirname(file),
                ...neighboursOf(roomOf(file))].map((room) => `${room}/${name}`)
                .find((f) => files.includes(f));
            return found && `${up}source/${found}.html`;
        }
        // A field (`>` is of `->`), the item itself, or what guards a header.
        if (before === '.' || before === '>' || word === self?.name ||
            /^TRIPTYCH_\w+_H$/.test(word))
            return undefined;
        const isTag = TAGS.includes(before);
        const entry = resolve(file, word, isTag ? TAGS : VALUES, root);
        if (entry === undefined)
            return undefined;
        if (!isTag && ['function', 'prototype'].includes(entry.kind) &&
            after !== '(' && !word.includes('_'))
            return undefined; // more likely a variable of that name
        if (entry.kind === 'variable' && !word.includes('_'))
            return undefined;
        return up + sourceHref(entry);
    };
}

// --- Calls -----------------------------------------------------------------

export function moduleOf(file) {
    return file.replace(/\.[ch]$/, '');
}

const graphs = new Map();

// [{from, to, name}]: the functions of other modules that a module uses, by
// calling or by handing them on. Modules are room/name.
export function calls(root = ROOT) {
    if (graphs.has(root))
        return graphs.get(root);
    const found = new Map();
    for (const file of allFiles(root)) {
        if (!file.endsWith('.c'))
            continue;
        for (const item of read(file, root).items) {
            if (!['function', 'variable'].includes(item.kind))
                continue;
            const list = tokens(item.code).filter((t) =>
                t.type !== 'space' && t.type !== 'comment');
            list.forEach((token, i) => {
                if (token.type !== 'word' || list[i - 1]?.text === '.' ||
                    (list[i - 1]?.text === '>' && list[i - 2]?.text === '-'))
                    return;
                const entry = resolve(file, token.text, ['function'], root);
                if (entry === undefined || entry.name === item.name ||
                    (!token.text.includes('_') && list[i + 1]?.text !== '('))
                    return;
                const [from, to] = [moduleOf(file), moduleOf(entry.file)];
                if (from !== to)
                    found.set(`${from} ${to} ${token.text}`,
                        { from, to, name: token.text });
            });
        }
    }
    // What a model must give to common: model_run.
    const list = [...found.values()];
    graphs.set(root, list);
    return list;
}

export { ROOMS };
