// source: finds what a C file defines, by name, so that pages quote the
// source and never a line number.
//
//     definition('threads/queue.c', 'queue_take')
//         -> {kind, name, file, comment, commentFirst, code, first, last, ...}
//
// A file is split into tokens, and its top level into items: functions,
// prototypes, structs, enums, macros, variables. That is enough for source in
// this project's style; it is no C parser. What is not there is an error.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { asked, fold } from './course.mjs';

// The tree that is read: the one this file is in, or (for tests) another.
export const ROOT = process.env.TRIPTYCH_ROOT
    ? path.resolve(process.env.TRIPTYCH_ROOT)
    : path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export const ROOMS = ['common', 'threads', 'processes', 'evloop', 'coroutines'];
// Where a room is, if not in the one folder of its name.
const FOLDERS = {
    coroutines: ['evloop/coroutines'],
    evloop: ['evloop', 'evloop/disks', 'evloop/kinds'],
};
export const MODELS = ['threads', 'processes', 'evloop'];

const KEYWORDS = new Set(`auto break case char const continue default do double
else enum extern float for goto if inline int long register restrict return
short signed sizeof static struct switch typedef union unsigned void volatile
while bool true false NULL _Atomic _Static_assert static_assert`.split(/\s+/));

export class Missing extends Error {}

// --- Tokens ----------------------------------------------------------------

const TOKEN = new RegExp([
    '(?<comment>/\\*[^]*?\\*/|//[^\\n]*)',
    '(?<directive>(?<=^|\\n)[ \\t]*#[ \\t]*\\w+)',
    '(?<string>"(?:\\\\[^]|[^"\\\\\\n])*"|\'(?:\\\\[^]|[^\'\\\\\\n])*\')',
    '(?<number>\\b\\d[\\w.]*)',
    '(?<word>[A-Za-z_]\\w*)',
    '(?<space>\\s+)',
    '(?<punctuation>[^])',
].join('|'), 'g');

// [{type, text, line}], line counted from 1. Joined again they are the text.
export function tokens(text) {
    const list = [];
    let line = 1;
    let header = false; // behind #include
    for (const match of text.matchAll(TOKEN)) {
        let [type] = Object.entries(match.groups).find(([, v]) => v !== undefined);
        const [piece] = match;
        if (type === 'word' && KEYWORDS.has(piece))
            type = 'keyword';
        if (type === 'directive')
            header = piece.endsWith('include');
        else if (piece.includes('\n'))
            header = false;
        if (header && type !== 'directive' && type !== 'space')
            type = 'string';
        list.push({ type, text: piece, line });
        line += piece.split('\n').length - 1;
    }
    return list;
}

// --- Items -----------------------------------------------------------------

// Without __attribute__((...)), which names nothing.
function bare(all) {
    let [inside, depth] = [false, 0];
    return all.filter(({ text }) => {
        if (text === '__attribute__') {
            inside = true;
            return false;
        }
        if (!inside)
            return true;
        depth += text === '(' ? 1 : text === ')' ? -1 : 0;
        inside = depth > 0;
        return false;
    });
}

// The name that a finished top-level item defines, and its kind.
function classify(whole) {
    const all = bare(whole);
    const at = (i) => all[i]?.text;
    const brace = all.findIndex((t) => t.text === '{');
    const head = brace === -1 ? all : all.slice(0, brace);
    const equals = head.findIndex((t) => t.text === '=');
    const paren = head.findIndex((t) => t.text === '(');
    const nameBefore = (i) => {
        for (let depth = 0; i >= 0; i--) {
            if (all[i].text === ']')
                depth++;
            else if (all[i].text === '[')
                depth--;
            else if (depth === 0 && all[i].type === 'word')
                return all[i].text;
        }
        return undefined;
    };
    const isStatic = head.some((t) => t.text === 'static');
    if (at(0) === 'typedef')
        return { kind: 'typedef', name: nameBefore(all.length - 2), isStatic };
    if (/^_?[sS]tatic_assert$/.test(at(0) ?? ''))
        return undefined;
    if (equals !== -1)
        return { kind: 'variable', name: nameBefore(equals - 1), isStatic };
    if (brace !== -1 && paren === -1) {
        const [kind, name] = head.slice(-2).map((t) => t.text);
        if (['struct', 'enum', 'union'].includes(kind))
            return { kind, name, isStatic };
        return { kind: head.at(-1)?.text === 'enum' ? 'enum' : 'variable',
            name: head.at(-1)?.text === 'enum' ? undefined
                : nameBefore(all.length - 2),
            isStatic };
    }
    if (paren !== -1)
        return { kind: brace !== -1 ? 'function' : 'prototype',
            name: nameBefore(paren - 1), isStatic };
    if (['struct', 'enum', 'union'].includes(at(0)) && all.length === 3)
        return undefined; // a forward declaration
    return { kind: 'variable', name: nameBefore(all.length - 2), isStatic };
}

function constantsOf(all) {
    const names = [];
    let depth = 0;
    all.forEach((token, i) => {
        if ('{(['.includes(token.text))
            depth++;
        else if ('})]'.includes(token.text))
            depth--;
        if (depth === 1 && token.type === 'word' &&
            ['{', ','].includes(all[i - 1].text))
            names.push(token.text);
    });
    return names;
}

// Without what only C++ is to see: extern "C" would hold all of a header.
function withoutCPlusPlus(list) {
    let inside = false;
    return list.filter((token, i) => {
        const kept = !inside;
        if (token.type !== 'directive')
            return kept;
        if (token.text === '#ifdef' && list[i + 2]?.text === '__cplusplus')
            inside = true;
        const drops = inside;
        if (token.text === '#endif')
            inside = false;
        return !drops;
    });
}

// Cuts the top level into items: each from its first token to its `;` or `}`.
function split(whole) {
    const list = withoutCPlusPlus(whole);
    const found = [];
    let run = []; // of the item so far; no space, no comment
    let depth = 0;
    let comment = null;
    let directive = null; // a macro, until its line ends
    const end = (last) => {
        const info = classify(run);
        if (info !== undefined)
            found.push({ ...info, comment, first: run[0].line, last,
                constants: info.kind === 'enum' ? constantsOf(run) : [] });
        run = [];
        comment = null;
    };
    for (const token of list) {
        const lines = token.text.split('\n').length - 1;
        if (directive !== null) {
            if (directive.name === undefined && token.type === 'word')
                directive.name = token.text;
            directive.last = token.line;
            if (token.type === 'space' && lines > 0 && !directive.continues) {
                if (directive.text.endsWith('define') && directive.name)
                    found.push({ kind: 'macro', name: directive.name, comment,
                        isStatic: false, constants: [],
                        first: directive.first, last: directive.last });
                if (lines > 1 || directive.text.endsWith('define'))
                    comment = null;
                directive = null;
            } else {
                directive.continues = token.text === '\\';
            }
            continue;
        }
        if (token.type === 'directive') {
            directive = { text: token.text, first: token.line,
                last: token.line };
        } else if (token.type === 'comment') {
            // One behind an item, on its line, is no comment of the next.
            if (run.length === 0 && found.at(-1)?.last !== token.line)
                comment = { text: token.text, first: token.line,
                    last: token.line + lines };
        } else if (token.type === 'space') {
            if (run.length === 0 && lines > 1)
                comment = null; // a blank line: not of what follows
        } else {
            run.push(token);
            if ('{(['.includes(token.text))
                depth++;
            else if ('})]'.includes(token.text))
                depth--;
            if (depth > 0)
                continue;
            if (token.text === ';')
                end(token.line);
            else if (token.text === '}' && classify(run)?.kind === 'function')
                end(token.line);
        }
    }
    return found;
}

// --- Files -----------------------------------------------------------------

const files = new Map();
const courses = new Map(); // root -> file -> names: see course.mjs

// From now on the labs' bodies of this tree are not shown.
export function readForCourse(root) {
    files.clear();
    courses.set(root, asked(root));
}

// True if the body of this function is not shown.
export function isFolded(file, name, root = ROOT) {
    return courses.get(root)?.get(file)?.has(name) ?? false;
}

// {file, text, lines, items, opening}: opening is the file's first comment.
export function read(file, root = ROOT) {
    const key = path.join(root, file);
    if (files.has(key))
        return files.get(key);
    if (!existsSync(key) || !statSync(key).isFile())
        throw new Missing(`there is no file ${file}`);
    let text = readFileSync(key, 'utf8');
    const names = courses.get(root)?.get(file);
    if (names !== undefined)
        text = fold(text, split(tokens(text)), names);
    const lines = text.split('\n');
    const items = split(tokens(text)).map((item) => ({
        ...item,
        file,
        code: lines.slice(item.first - 1, item.last).join('\n'),
        comment: item.comment === null ? '' : prose(item.comment.text),
        commentFirst: item.comment === null ? item.first : item.comment.first,
        full: lines.slice((item.comment?.first ?? item.first) - 1, item.last)
            .join('\n'),
    }));
    const opening = text.match(/^\/\*[^]*?\*\//);
    const whole = { file, text, lines, items,
        opening: opening === null ? '' : prose(opening[0]) };
    files.set(key, whole);
    return whole;
}

// What stands in a comment, without its stars.
export function prose(comment) {
    return comment
        .replace(/^\/\*+ ?/, '').replace(/\s*\*+\/$/, '')
        .replace(/^\/\/ ?/gm, '')
        .split('\n').map((line) => line.replace(/^\s*\* ?/, '')).join('\n')
        .replace(/^\n+|\s+$/g, '');
}

const ORDER = ['function', 'struct', 'enum', 'union', 'macro', 'typedef',
    'variable', 'prototype'];

// What the file says NAME is: its definition rather than its prototype. Throws
// Missing. `comment` is the text of the comment right above it, without stars;
// `code` stands in lines `first` to `last`, with the comment from
// `commentFirst` (then it is `full`).
export function definition(file, name, root = ROOT) {
    const found = read(file, root).items.filter((item) => item.name === name ||
        item.constants.includes(name));
    found.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
    if (found.length === 0)
        throw new Missing(`${file} has no ${name}`);
    return found[0];
}

export function has(file, name, root = ROOT) {
    try {
        definition(file, name, root);
        return true;
    } catch (error) {
        if (error instanceof Missing)
            return false;
        throw error;
    }
}

// The C files of a room, headers before sources of the same name.
export function filesOf(room, root = ROOT) {
    return (FOLDERS[room] ?? [room]).flatMap((below) => filesIn(below, root));
}

function filesIn(below, root) {
    const folder = path.join(root, below);
    if (!existsSync(folder))
        throw new Missing(`there is no folder ${below}`);
    return readdirSync(folder)
        .filter((name) => /\.[ch]$/.test(name))
        .sort((a, b) => {
            const [x, y] = [a, b].map((n) => n.replace(/\.[ch]$/, ''));
            return x === y ? (a.endsWith('.h') ? -1 : 1) : (x < y ? -1 : 1);
        })
        .map((name) => `${below}/${name}`);
}

export function allFiles(root = ROOT) {
    return ROOMS.flatMap((room) => filesOf(room, root));
}
