// mistakes: the wrong versions that the labs' graders must catch, from
// tests/lab/mistakes/NN-name.c, each with the diff that mends it.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { diff as compared } from './diff.mjs';
import { Missing, ROOMS, definition, read } from './source.mjs';

const FOLDER = 'tests/lab/mistakes';

const caches = new Map();

// [{number, slug, title, lab, file, caughtBy, symptom, functions, page}]
export function mistakes(root) {
    if (!caches.has(root)) {
        const folder = path.join(root, FOLDER);
        caches.set(root, !existsSync(folder) ? [] : readdirSync(folder)
            .filter((name) => /^\d+-.*\.c$/.test(name))
            .sort((a, b) => parseInt(a, 10) - parseInt(b, 10))
            .map((name) => parse(root, name))
            // What is wrong with a puzzle is for its reader to find.
            .filter((m) => ROOMS.includes(m.file.split('/')[0])));
    }
    return caches.get(root);
}

function parse(root, name) {
    const from = `${FOLDER}/${name}`;
    const whole = read(from, root);
    const field = (key) => {
        const found = whole.opening.match(new RegExp(`^${key}: *(.*)$`, 'm'));
        if (found === null)
            throw new Missing(`${from} has no line "${key}:"`);
        return found[1].trim();
    };
    const title = whole.opening.match(/^Mistake (\d+): *([^]*?)\n(?=\w+:)/m);
    const symptom = whole.opening.match(/^Symptom: *([^]*)$/m);
    if (title === null || symptom === null)
        throw new Missing(`${from} has no title or no symptom`);
    const file = field('File');
    const functions = whole.items.filter((i) => i.kind === 'function')
        .map((i) => i.name);
    if (whole.items.some((i) => i.comment.includes('Caught by:')))
        throw new Missing(`${from} has no blank line below its first comment`);
    for (const f of functions)
        definition(file, f, root); // or there is nothing to compare with
    return { from, file, functions, number: Number(title[1]),
        title: title[2].replace(/\s+/g, ' ').trim(),
        slug: name.replace(/\.c$/, ''), lab: field('Lab'),
        caughtBy: field('Caught by').split(/\s*,\s*/),
        symptom: symptom[1].trim(),
        page: `mistakes/${name.replace(/\.c$/, '')}.html` };
}

// The mistakes that are made in this function.
export function mistakesOf(root, file, name) {
    return mistakes(root).filter((m) => m.file === file &&
        m.functions.includes(name));
}

// Lines [{sign, text}] of the wrong function becoming the right one, as one
// would mend it: all of it, so that the context is there.
export function diff(wrong, right) {
    return compared(wrong.split('\n'), right.split('\n'))
        .map(([sign, text]) => ({ sign, text }));
}
