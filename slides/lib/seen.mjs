// seen: what the labs' tests have said of a mistake (slides/data/seen.json, by
// slides/data/seen.py), and why it fails, step by step (slides/mistakes/why.md).
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Missing } from './source.mjs';

export const WHY = 'slides/mistakes/why.md';
const SEEN = 'slides/data/seen.json';

const caches = new Map();

function once(root, what, make) {
    const key = `${what} ${root}`;
    if (!caches.has(key))
        caches.set(key, make());
    return caches.get(key);
}

// number -> Markdown
export function reasons(root) {
    return once(root, 'why', () => new Map(readFileSync(path.join(root, WHY),
        'utf8').split(/^## /m).slice(1).map((part) => {
        const [, number, text] = part.match(/^(\d+)\n([^]*)$/) ?? [];
        if (number === undefined)
            throw new Missing(`${WHY}: "${part.slice(0, 30)}" has no number`);
        return [Number(number), text.trim()];
    })));
}

// {test, title, observed, means, look, date}; undefined where the mistake's code
// is another one by now: what is shown has been seen.
export function seen(root, mistake) {
    const file = path.join(root, SEEN);
    const all = once(root, 'seen', () => existsSync(file)
        ? JSON.parse(readFileSync(file, 'utf8')) : { seen: {} });
    const one = all.seen[mistake.number];
    const text = readFileSync(path.join(root, mistake.from), 'utf8');
    const code = createHash('sha256').update(text.slice(text.indexOf('*/') + 2)
        .trim()).digest('hex').slice(0, 16);
    return one?.code === code && mistake.caughtBy.includes(one.test)
        ? { ...one, date: all.date } : undefined;
}
