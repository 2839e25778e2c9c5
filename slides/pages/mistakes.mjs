// mistakes: a page for each wrong version: how it shows, the wrong code, and,
// folded, the diff that mends it.
import { c, escape } from '../lib/highlight.mjs';
import { diff, mistakes } from '../lib/mistakes.mjs';
import { markdown } from '../lib/markdown.mjs';
import { WHY, reasons, seen } from '../lib/seen.mjs';
import { definition } from '../lib/source.mjs';
import { sourceHref, resolve } from '../lib/names.mjs';
import { stepsOf } from './columns.mjs';
import { canExplore } from '../lib/schedules.mjs';
import { scheduleOf, shortestOf } from './scheduler.mjs';

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

// In a course's site: all but one line of the wrong code is right.
const LOCKED = `<h2>The code</h2>
<p class="left-out">It is locked in this site: it would give away what the lab
asks for. <code>./run lab hunt</code> makes a program with a mistake in it.</p>`;

const WORDS = { '+': 'right', '-': 'wrong', ' ': '' };

function quoted(site, m) {
    return m.functions.map((name) => `<figure class="quote"><figcaption>${
        m.file}: <b>${name}</b></figcaption><pre><code>${
        c(definition(m.from, name, site.root).full)}</code></pre></figure>`)
        .join('\n');
}

function diffed(site, m, up) {
    return m.functions.map((name) => {
        const right = definition(m.file, name, site.root);
        const other = definition(m.from, name, site.root);
        // Without a comment of its own, the right one's is no difference.
        const lines = other.comment ? diff(other.full, right.full)
            : diff(other.code, right.code);
        const rows = lines.map(({ sign, text }) => {
            const word = WORDS[sign] ? ` class="${WORDS[sign]}"` : '';
            return `<span${word}>${sign} ${escape(text)}</span>`;
        });
        const entry = resolve(m.file, name, ['function'], site.root);
        return `<figure class="quote diff"><figcaption><a href="${up}${
            sourceHref(entry)}">${m.file}: <b>${name}</b></a>
            <span><i>-</i> wrong, <i>+</i> right</span></figcaption>
            <pre><code>${rows.join('\n')}</code></pre></figure>`;
    }).join('\n');
}

// Where it is seen how it goes wrong, or how it goes when it is right.
const SHOWN = [
    [[19, 20, 49], 'backpressure.html', 'Back-pressure, to be operated: forget ' +
        'to drain, or move the marks together'],
    [[20, 22], 'timelines/watermark.html', 'Timeline: the marks pause a source, ' +
        'and let it go on'],
    [[14], 'timelines/pipe.html', 'Timeline: a pipe that is full'],
    [[11, 16], 'timelines/killed.html', 'Timeline: a worker is killed'],
    [[1], 'timelines/condition.html', 'Timeline: what a condition wait does ' +
        'with the lock'],
];
const OF_LAB = { protocol: ['parser.html', 'The parser, byte by byte: feed it ' +
    'what this code gets wrong, split where you like'] };

function told({ says, steps, end }) {
    return `<details class="schedule"><summary>The shortest schedule that
fails</summary><p>${escape(says)}</p><ol>${steps.map((step) =>
        `<li>${escape(step)}</li>`).join('')}</ol><p><b>It fails.</b> ${
        escape(end.kind[0].toUpperCase() + end.kind.slice(1))}: ${
        escape(end.message)}.</p></details>`;
}

// What the labs' test has said of this code, in a run.
function graded(site, m) {
    const one = seen(site.root, m);
    if (one === undefined) {
        (site.unseen ??= []).push(m.number);
        return '';
    }
    return `<details class="graded"><summary>What the labs’ test says of this
code</summary><p><code>${escape(one.test)}</code>: ${inline(one.title)}</p>
<dl class="facts"><dt>Observed</dt><dd><pre tabindex="0"${
        one.observed.includes('\n') ? ' class="drawn"' : ''}><samp>${escape(one.observed)
    }</samp></pre></dd><dt>It means</dt><dd>${inline(one.means)}</dd><dt>Look
at</dt><dd>${inline(one.look)}</dd></dl></details>`;
}

// Where a schedule makes it fail, the reader can go through it. Else it is told
// step by step.
function why(site, m, up) {
    const schedule = scheduleOf(site, m.number);
    const reason = reasons(site.root).get(m.number);
    const pages = [...SHOWN.filter(([numbers]) => numbers.includes(m.number))
        .map(([, ...page]) => page), ...[OF_LAB[m.lab]].filter(Boolean)];
    const links = pages.map(([to, text]) => `<p><a href="${up}${to}">${text}</a>.</p>`);
    const prose = (kind) => `<details class="${kind}"><summary>Step by
step</summary>${markdown(site, reason, { file: WHY, page: m.page })}</details>`;
    if (schedule !== undefined)
        links.unshift(...(reason === undefined ? []
            : [prose('in-prose schedule')]), `<p><a href="${up}${schedule}">You are the scheduler</a>:
make it fail yourself, or go through the shortest schedule that does.</p>
${told(shortestOf(site, m.number))}`);
    else if (reason !== undefined)
        links.unshift(prose('schedule'));
    else if (canExplore(site.bin))
        site.problems.push(`${WHY} does not say why mistake ${m.number} fails`);
    return `<h2>Why it fails</h2>
${links.join('\n')}
${graded(site, m)}
`;
}

export function listed(site, list, up) {
    return `<ul class="mistakes">${list.map((m) =>
        `<li><a href="${up}${m.page}">Mistake ${m.number}: ${
            inline(m.title)}</a></li>`).join('')}</ul>`;
}

export async function make(site) {
    const all = mistakes(site.root);
    const up = '../';
    for (const number of reasons(site.root).keys()) {
        if (!all.some((m) => m.number === number))
            site.problems.push(`${WHY}: there is no mistake ${number}`);
    }
    all.forEach((m, i) => {
        const steps = stepsOf(site, m);
        const [before, after] = [all[i - 1], all[i + 1]];
        site.page({ page: m.page, title: `Mistake ${m.number}`,
            kind: 'mistake', body: `
<p class="crumbs"><a href="${up}${INDEX}">Mistakes</a></p>
<h1>Mistake ${m.number}: ${inline(m.title)}</h1>
<dl class="facts"><dt>Lab</dt><dd>${escape(m.lab)}</dd>${steps.length === 0 ? ''
        : `<dt>Step</dt><dd>${steps.map((s) => `<a href="${up}${s.page}">${
            s.name}</a>`).join(', ')}</dd>`}</dl>
<h2>How it shows</h2>
<div class="symptom">${paragraphs(m.symptom.replace(/^[a-z]/, (c) => c.toUpperCase()))}</div>
<details class="hint"><summary>A hint</summary><p>The labs' test that catches it: ${
    m.caughtBy.map((t) => `<code>${escape(t)}</code>`).join(', ')}.</p></details>
${site.course ? LOCKED : `<h2>The wrong code</h2>
${quoted(site, m)}
${why(site, m, up)}<h2>Mended</h2>
<details class="mending"><summary>The difference</summary>
${diffed(site, m, up)}</details>`}
<nav class="turn" aria-label="Other mistakes">${before ? `<a rel="prev" href="${
    up}${before.page}">‹ Mistake ${before.number}</a>` : '<span></span>'}${
    after ? `<a rel="next" href="${up}${after.page}">Mistake ${
        after.number} ›</a>` : ''}</nav>` });
    });
    if (site.unseen)
        site.say(`What the test says of mistakes ${site.unseen.join(', ')} is ` +
            'not known, or of other code: slides/data/seen.py');
    const labs = [...new Set(all.map((m) => m.lab))];
    site.page({ page: INDEX, title: 'Mistakes', body: `
<h1>Mistakes, and how each shows</h1>
<p class="lead">Each is a wrong version of functions of the source, as learners
write them. ${site.course ? 'Here stands how each shows.' : `The symptom comes
first, then the wrong code; the mending is folded, so that you can look for it
yourself.`} The labs' graders must catch every one.</p>
${labs.map((lab) => `<h2>${escape(lab)}</h2>${listed(site,
        all.filter((m) => m.lab === lab), up)}`).join('')}` });
}
