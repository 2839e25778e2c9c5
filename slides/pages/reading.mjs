// reading: the lecture as an article: each slide, and what is said to it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { articles } from '../lecture/slides.mjs';
import { escape } from '../lib/highlight.mjs';

export const PAGE = 'reading.html';

// The pictures look as on the slides: those rules of the deck's style.
function pictures(site) {
    const css = readFileSync(path.join(site.tools, 'lecture/style.css'), 'utf8')
        .replace(/\/\*[^]*?\*\//g, '');
    return (css.match(/^\.reveal (?:svg|\.picture|\.pair|\.gap|\.best)[^{]*\{[^}]*\}/gm) ?? [])
        .map((rule) => rule.replace(/^\.reveal/gm, '.reading')).join('\n');
}

export async function make(site) {
    site.file('style/pictures.css', pictures(site));
    const chapters = articles(site, site.up(PAGE));
    site.page({ page: PAGE, title: 'The lecture, to be read', kind: 'reading',
        words: false, styles: ['style/pictures.css'], body: `
<p class="crumbs"><a href="lecture/index.html">The slides</a></p>
<h1>The lecture, to be read</h1>
<p class="lead">Every slide, and below it what is said: for a phone, or for those
who were not there.</p>
<ul>${chapters.map(({ title }, i) => `<li><a href="#chapter-${i + 1}">${
        escape(title)}</a></li>`).join('')}</ul>
${chapters.map(({ title, slides }, i) => `<h2 class="chapter" id="chapter-${
        i + 1}">${escape(title)}</h2>${slides.map(({ id, html, said }) =>
        `<section id="${id}">${html}<div class="said">${said}</div></section>`)
        .join('\n')}`).join('\n')}` });
}
