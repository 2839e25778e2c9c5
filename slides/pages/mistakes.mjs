// mistakes: a page for each wrong version, as a diff with its symptom.
import { escape } from '../lib/highlight.mjs';
import { diff, mistakes } from '../lib/mistakes.mjs';
import { definition, read } from '../lib/source.mjs';
import { sourceHref, resolve } from '../lib/names.mjs';
import { stepsOf } from './columns.mjs';

const INDEX = 'mistakes/index.html';

export const section = { title: 'Mistakes', href: INDEX, folder: 'mistakes/',
    says: 'what learners get wrong, how it shows, and the difference',
    order: 40 };

export function wanted(site) {
    if (mistakes(site.root).length > 0)
        return true;
    site.say('There are no mistakes in tests/lab/mistakes: no pages of them');
    return false;
}

// `code` in backticks, the rest as it is.
export function inline(text) {
    return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function paragraphs(text) {
    return text.split(/\n\s*\n/).map((p) => `<p>${inline(p)}</p>`).join('');
}

const WORDS = { '+': 'wrong', '-': 'right', ' ': '' };

function diffed(site, m, up) {
    const wrong = read(m.from, site.root);
    return m.functions.map((name) => {
        const right = definition(m.file, name, site.root);
        const other = definition(m.from, name, site.root);
        // Without a comment of its own, the right one's is no difference.
        const lines = other.comment ? diff(right.full, other.full)
            : diff(right.code, other.code);
        const rows = lines.map(({ sign, text }) => {
            const word = WORDS[sign] ? ` class="${WORDS[sign]}"` : '';
            return `<span${word}>${sign} ${escape(text)}</span>`;
        });
        const entry = resolve(m.file, name, ['function'], site.root);
        return `<figure class="quote diff"><figcaption><a href="${up}${
            sourceHref(entry)}">${m.file}: <b>${name}</b></a>
            <span><i>-</i> right, <i>+</i> wrong</span></figcaption>
            <pre><code>${rows.join('\n')}</code></pre></figure>`;
    }).join('\n') || `<p>${wrong.lines.length} lines</p>`;
}

export function listed(site, list, up) {
    return `<ul class="mistakes">${list.map((m) =>
        `<li><a href="${up}${m.page}">Mistake ${m.number}: ${
            inline(m.title)}</a></li>`).join('')}</ul>`;
}

export async function make(site) {
    const all = mistakes(site.root);
    const up = '../';
    all.forEach((m, i) => {
        const steps = stepsOf(site, m);
        const [before, after] = [all[i - 1], all[i + 1]];
        site.page({ page: m.page, title: `Mistake ${m.number}`,
            kind: 'mistake', body: `
<p class="crumbs"><a href="${up}${INDEX}">Mistakes</a></p>
<h1>Mistake ${m.number}: ${inline(m.title)}</h1>
<dl class="facts"><dt>Lab</dt><dd>${escape(m.lab)}</dd>
<dt>Caught by</dt><dd>${m.caughtBy.map((t) =>
        `<code>${escape(t)}</code>`).join(', ')}</dd>${steps.length === 0 ? ''
        : `<dt>Step</dt><dd>${steps.map((s) => `<a href="${up}${s.page}">${
            s.name}</a>`).join(', ')}</dd>`}</dl>
<h2>How it shows</h2>
<div class="symptom">${paragraphs(m.symptom.replace(/^[a-z]/, (c) => c.toUpperCase()))}</div>
<h2>What is wrong</h2>
${diffed(site, m, up)}
<nav class="turn" aria-label="Other mistakes">${before ? `<a rel="prev" href="${
    up}${before.page}">‹ Mistake ${before.number}</a>` : '<span></span>'}${
    after ? `<a rel="next" href="${up}${after.page}">Mistake ${
        after.number} ›</a>` : ''}</nav>` });
    });
    const labs = [...new Set(all.map((m) => m.lab))];
    site.page({ page: INDEX, title: 'Mistakes', body: `
<h1>Mistakes, and how each shows</h1>
<p class="lead">Each is a wrong version of functions of the source, as learners
write them. The symptom comes first: think before you look at the diff. The
labs' graders must catch every one of them.</p>
${labs.map((lab) => `<h2>${escape(lab)}</h2>${listed(site,
        all.filter((m) => m.lab === lab), up)}`).join('')}` });
}
