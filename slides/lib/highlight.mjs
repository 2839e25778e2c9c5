// highlight: code as HTML. C by our own tokens, so that names can be linked;
// other languages by highlight.js.
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import diff from 'highlight.js/lib/languages/diff';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import { tokens } from './source.mjs';

for (const [name, language] of Object.entries({ bash, diff, json, python }))
    hljs.registerLanguage(name, language);
hljs.registerAliases(['sh', 'shell', 'console'], { languageName: 'bash' });

export function escape(text) {
    return text.replace(/[&<>"]/g, (c) =>
        ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}

const CLASSES = { comment: 'c', directive: 'd', string: 's', number: 'n',
    keyword: 'k' };

// `link(name, before, after)` may give an address for a word; before and
// after are the words or marks around it.
export function c(code, link = () => undefined) {
    const list = tokens(code);
    const solid = list.filter((t) => t.type !== 'space' && t.type !== 'comment');
    let at = -1;
    return list.map((token) => {
        if (token.type !== 'space' && token.type !== 'comment')
            at++;
        if (token.type === 'word' || token.type === 'string') {
            const address = link(token.text, solid[at - 1]?.text,
                solid[at + 1]?.text, token.type);
            if (address !== undefined)
                return `<a href="${escape(address)}">${escape(token.text)}</a>`;
        }
        const name = CLASSES[token.type];
        // A span a line, so that each line stands for itself.
        return name === undefined ? escape(token.text)
            : token.text.split('\n').map((line) => line === '' ? ''
                : `<span class="${name}">${escape(line)}</span>`).join('\n');
    }).join('');
}

const HLJS = { comment: 'c', meta: 'd', string: 's', number: 'n', keyword: 'k',
    built_in: 'k', literal: 'k', addition: 'plus', deletion: 'minus' };

// Other languages; an unknown one is left plain.
export function other(code, language) {
    if (!language || !hljs.getLanguage(language))
        return escape(code);
    return hljs.highlight(code, { language }).value.replace(
        /class="hljs-([\w-]+)[^"]*"/g, (_, name) => `class="${HLJS[name] ?? ''}"`)
        .replaceAll(' class=""', '');
}

export function code(text, language, link) {
    return language === 'c' ? c(text, link) : other(text, language);
}
