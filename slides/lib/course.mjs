// course: the bodies that the labs ask for, from each lab.toml: [part.cut] and
// [part.remove]. A site for a course shows them without what is in them.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

// What stands in place of a body.
export const FOLDED = '    /* A lab asks for this body. */';

const TABLE = /^\[part\.(?:cut|remove)\]\n((?:"[^"]+" *= *\[[^\]]*\].*\n)+)/gm;

function files(root) {
    const common = path.join(root, 'common/lab');
    return [...(existsSync(common) ? readdirSync(common).map((name) =>
        path.join(common, name)) : []),
    ...['threads', 'processes', 'evloop', 'evloop/coroutines'].map((model) =>
        path.join(root, model, 'lab'))]
        .map((folder) => path.join(folder, 'lab.toml')).filter(existsSync);
}

// file -> the names of its functions.
export function asked(root) {
    const found = new Map();
    for (const file of files(root)) {
        for (const [, table] of readFileSync(file, 'utf8').matchAll(TABLE)) {
            for (const [, source, names] of
                table.matchAll(/^"([^"]+)" *= *\[([^\]]*)\]/gm)) {
                const all = found.get(source) ?? new Set();
                for (const [, name] of names.matchAll(/"(\w+)"/g))
                    all.add(name);
                found.set(source, all);
            }
        }
    }
    return found;
}

// The text without these bodies; items: where its functions stand.
export function fold(text, items, names) {
    const lines = text.split('\n');
    for (const item of [...items].reverse()) {
        if (item.kind !== 'function' || !names.has(item.name))
            continue;
        const from = lines.indexOf('{', item.first - 1);
        lines.splice(from + 1, item.last - from - 2, FOLDED);
    }
    return lines.join('\n');
}
