// excerpt: cuts what a slide can show out of the source, by names and
// patterns, never by line numbers.
//
//     excerpt('threads/queue.c', 'queue_take', {from, to, cut, mark}, root)
//         -> {lines: [{text, gap, mark}], item}
//
// The patterns are regular expressions that must match a line, or it is an
// error: so a slide cannot outlive what it shows.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Missing, definition, isFolded } from '../lib/source.mjs';

// A function of Python, by indentation; `*` is the whole file.
export function python(file, name, root) {
    const lines = readFileSync(path.join(root, file), 'utf8').trimEnd()
        .split('\n');
    if (name === '*')
        return lines.join('\n');
    const first = lines.findIndex((line) =>
        new RegExp(`^ *(async )?def ${name}\\(`).test(line));
    if (first === -1)
        throw new Missing(`${file} has no ${name}`);
    const indent = lines[first].search(/\S/);
    let last = first + 1;
    while (last < lines.length && (lines[last] === '' ||
        lines[last].search(/\S/) > indent))
        last++;
    return lines.slice(first, last).join('\n').trimEnd();
}

function find(lines, pattern, from, where) {
    const at = lines.findIndex((line, i) =>
        i >= from && !line.gap && new RegExp(pattern).test(line.text));
    if (at === -1)
        throw new Missing(`${where} has no line like /${pattern}/`);
    return at;
}

function dedent(lines) {
    const least = Math.min(...lines.filter((line) => line.text.trim() !== '')
        .map((line) => line.text.search(/\S/)));
    return lines.map((line) => ({ ...line, text: line.text.slice(least) }));
}

function gapBefore(line) {
    return { gap: true, text: `${' '.repeat(line.text.search(/\S/))}…` };
}

// `from` and `to`: [pattern]; the rest is left out without a sign. `cut`:
// [first, last] patterns, replaced by an ellipsis. `mark`: what to look at.
export function excerpt(file, name, { from, to, cut = [], mark = [] }, root) {
    const where = `${file}: ${name}`;
    const isPython = file.endsWith('.py');
    const text = isPython ? python(file, name, root)
        : definition(file, name, root).code;
    let lines = text.split('\n').map((line) => ({ text: line }));
    if (isFolded(file, name, root))
        return dedent(lines); // for a course: the patterns are in no line
    if (from !== undefined)
        lines = lines.slice(find(lines, from, 0, where));
    if (to !== undefined)
        lines = lines.slice(0, find(lines, to, 0, where) + 1);
    for (const [first, last] of cut) {
        const start = find(lines, first, 0, where);
        const end = last === undefined ? start
            : find(lines, last, start, where);
        lines.splice(start, end - start + 1, gapBefore(lines[start]));
    }
    // Two gaps in a row are one.
    lines = lines.filter((line, i) => !(line.gap && lines[i - 1]?.gap));
    for (const [pattern] of mark) {
        find(lines, pattern, 0, where); // or it is an error
        for (const line of lines)
            line.mark ||= !line.gap && new RegExp(pattern).test(line.text);
    }
    return dedent(lines);
}

// The lines that patterns pick: [[first, last?], ...].
export function picked(file, name, patterns, root) {
    const lines = excerpt(file, name, {}, root);
    const where = `${file}: ${name}`;
    if (isFolded(file, name, root))
        return dedent(lines.slice(-2, -1)); // what says that it is folded
    return patterns.flatMap(([first, last]) => {
        const start = find(lines, first, 0, where);
        const end = last === undefined ? start
            : find(lines, last, start, where);
        return dedent(lines.slice(start, end + 1));
    });
}
