// glossary: the page of all its words; on other pages template() marks them.
import { escape } from '../lib/highlight.mjs';
import { FILE, glossary } from '../lib/glossary.mjs';
import { markdown } from '../lib/markdown.mjs';

const PAGE = 'glossary.html';

export const section = { title: 'Glossary', href: PAGE, order: 70,
    says: 'the field’s words, and those of this source' };

export async function make(site) {
    const [top, ...parts] = glossary(site.root);
    const html = (text) => markdown(site, text, { file: FILE, page: PAGE });
    const entry = (t) => `<dt id="${t.id}"><dfn>${escape(t.word)}</dfn></dt><dd>${
        html(t.short)}${t.more === '' ? '' : html(t.more)}</dd>`;
    site.page({ page: PAGE, title: top.title, kind: 'glossary', words: false,
        body: `<h1>${escape(top.title)}</h1>
<div class="lead">${html(top.text)}</div>
${parts.map((part) => `<h2>${escape(part.title)}</h2><dl class="words">${
        [...part.terms].sort((a, b) => a.id < b.id ? -1 : 1).map(entry).join('\n')
    }</dl>`).join('\n')}` });
}
