// glossary: slides/glossary.md, and its words wherever prose uses them.
//
//     # A part
//     ## word, another form of it, ...
//     What it means, in a sentence or two: that is what a page tells.
//     not: phrases, in which, it means something else
//
//     More, for the glossary alone.
//
// mark() makes each word's first use in a page's prose a button that shows its
// meaning: pointed at, pressed or by key, without a script of ours (popover).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { escape } from './highlight.mjs';
import { Missing } from './source.mjs';

export const FILE = 'slides/glossary.md';

const caches = new Map();

function parse(text) {
    const parts = [];
    for (const block of text.split(/^(?=##? )/m)) {
        const part = block.match(/^# (.*)\n([^]*)$/);
        if (part) {
            parts.push({ title: part[1], text: part[2].trim(), terms: [] });
            continue;
        }
        const [, head, rest] = block.match(/^## (.*)\n([^]*)$/);
        const forms = head.split(/\s*,\s*/);
        const [, short, not, more] = rest.trim()
            .match(/^([^]*?)(?:\nnot: (.*))?(?:\n\n([^]*))?$/);
        parts.at(-1).terms.push({ word: forms[0], forms, short,
            not: not ? not.split(/\s*,\s*/) : [], more: more ?? '',
            id: forms[0].toLowerCase().replace(/[^\w]+/g, '-') });
    }
    return parts;
}

// [{title, text, terms: [{word, forms, id, short, not, more}]}]
export function glossary(root) {
    if (!caches.has(root)) {
        const parts = parse(readFileSync(path.join(root, FILE), 'utf8'));
        const seen = new Set();
        for (const { forms } of parts.flatMap((p) => p.terms)) {
            for (const form of forms) {
                if (seen.has(form))
                    throw new Missing(`${FILE}: ${form} stands twice`);
                seen.add(form);
            }
        }
        caches.set(root, parts);
    }
    return caches.get(root);
}

// --- Its words in a page ---------------------------------------------------

const finders = new Map();

// All words as one pattern, the longest first; the phrases in which one is
// something else come before them.
function finder(root) {
    if (!finders.has(root)) {
        const byForm = new Map();
        const phrases = [];
        for (const term of glossary(root).flatMap((p) => p.terms)) {
            for (const form of term.forms)
                byForm.set(form.toLowerCase(), term);
            phrases.push(...term.not);
        }
        const either = (list) => list.sort((a, b) => b.length - a.length)
            .map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
                .replaceAll(' ', '\\s+')).join('|');
        finders.set(root, { byForm, pattern: new RegExp(
            `(?<not>${either(phrases)})(?![\\w])|(?<![\\w&/.-])(?<word>${
                either([...byForm.keys()])})(?![\\w/(]|-\\w|\\.[a-z])`, 'gi') });
    }
    return finders.get(root);
}

// Where prose stands, and what in it is none.
const PROSE = new Set(['p', 'li', 'dd', 'td', 'figcaption']);
const NONE = new Set(['a', 'code', 'pre', 'button', 'summary', 'svg', 'script',
    'style', 'label', 'legend', 'h1', 'h2', 'h3', 'h4', 'th', 'nav', 'select',
    'output', 'textarea', 'dfn']);
const VOID = new Set(['br', 'hr', 'img', 'input', 'link', 'meta', 'source',
    'wbr']);

// `code` and *stress*, and the rest as it is.
export function inlined(text) {
    return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>')
        .replace(/\*([^*]+)\*/g, '<em>$1</em>');
}

// `body` with the first use of each word marked, and the meanings behind it.
export function mark(root, body, up) {
    const { byForm, pattern } = finder(root);
    const used = new Map();
    const open = []; // the elements around: [tag, what it counts as]
    const out = body.split(/(<!--[^]*?-->|<[^>]+>)/).map((piece) => {
        const [, close, name] = piece.match(/^<(\/?)([a-zA-Z][\w-]*)/) ?? [];
        if (piece.startsWith('<') && name === undefined)
            return piece; // a comment
        if (close) {
            const at = open.findLastIndex(([tag]) => tag === name);
            open.length = at === -1 ? open.length : at;
        } else if (name && !VOID.has(name) && !piece.endsWith('/>')) {
            open.push([name, /\bdata-plain\b/.test(piece) ? 'code' : name]);
        }
        if (name || !open.some(([, as]) => PROSE.has(as)) ||
            open.some(([, as]) => NONE.has(as)))
            return piece;
        return piece.replace(pattern, (all, not, word) => {
            const term = word && byForm.get(word.toLowerCase()
                .replace(/\s+/g, ' '));
            if (!term || used.has(term.id))
                return all;
            used.set(term.id, term);
            return `<button type="button" class="term" popovertarget="word-${
                term.id}">${all}</button>`;
        });
    }).join('');
    if (used.size === 0)
        return body;
    return `${out}\n<div class="meanings">${[...used.values()].map((t) =>
        `<div popover id="word-${t.id}" class="meaning"><p><dfn>${escape(t.word)
        }</dfn> ${inlined(t.short)}</p><p><a href="${up}glossary.html#${t.id
        }">Glossary</a></p></div>`).join('')}</div>`;
}
