// deck: the lecture, a deck of reveal.js in one page that needs nothing else;
// and its PDF.
//
// The chapters are slides/lecture/*.md. When the site is built where there is
// a Chromium, the deck is printed to lecture.pdf, a page a slide.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { chromiumPath, print } from '../lecture/print.mjs';
import { fontFaces } from '../lib/fonts.mjs';
import { sections } from '../lecture/slides.mjs';

export const section = { title: 'Lecture', href: 'lecture/index.html',
    says: 'two lectures of slides, with notes', folder: 'lecture/', order: 50,
    also: ['reading.html'] };

const PAGE = 'lecture/index.html';

// A script in a page must not hold what would end it.
function script(text) {
    return `<script>${text.replaceAll('</script', '<\\/script')
        .replaceAll('<!--', '<\\!--')}</script>`;
}

function template(site) {
    const up = site.up(PAGE);
    const reveal = path.dirname(createRequire(import.meta.url)
        .resolve('reveal.js'));
    const text = (...parts) => readFileSync(path.join(...parts), 'utf8');
    const own = path.join(site.tools, 'lecture');
    return `<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lecture: three ways to wait · triptych</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(
        text(site.tools, 'style/icon.svg'))}">
<style>${text(reveal, 'reset.css')}
${text(reveal, 'reveal.css')}
${fontFaces()}
${text(own, 'style.css')}</style>
${script(text(own, 'theme.js'))}
</head>
<body>
<main>
<div class="reveal">
<div class="slides">
${sections(site, up)}</div>
</div>
</main>
${script(text(reveal, 'reveal.js'))}
${script(text(reveal, 'plugin/notes.js')
        .replaceAll('Helvetica', 'sans-serif'))}
${script(text(own, 'deck.js'))}
</body>
</html>
`;
}

export async function make(site) {
    site.pages.set(PAGE, 'Lecture');
    site.file(PAGE, template(site));
    if (chromiumPath() === undefined)
        site.say('There is no Chromium (CHROMIUM=PATH says where): no PDF');
    else if (site.problems.length === 0)
        await print(path.join(site.out, PAGE),
            path.join(site.out, 'lecture.pdf'));
}
