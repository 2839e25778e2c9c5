// slides: from the chapters in Markdown to the sections of the deck.
//
// A chapter is a file; slides are parted by lines of `---`. Besides Markdown:
//
//     {{...}}                  see markers.mjs
//     [text](site:PAGE)       a link to a page of the site
//     ::: NAME ... :::         a box: ask, answer, lead, small, columns, column;
//                              an answer is hidden until it is asked for
//     ```demo REGEX            commands to be run in the lecture; what they
//                              print must match (tests/deck.mjs runs them)
//     ```demo-look             the same, that take too long for that
//     Note: N min              what the speaker says, and how long; "N min,
//                              optional": it may be left out
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import MarkdownIt from 'markdown-it';
import { check, spanProblem } from '../lib/check.mjs';
import { code, escape } from '../lib/highlight.mjs';
import { slug } from '../lib/markdown.mjs';
import { Missing } from '../lib/source.mjs';
import { MARKER, marker } from './markers.mjs';

const FOLDER = 'slides/lecture';

// [{file, title, slides: [{line, text, note, minutes, optional}]}]
export function chapters(tools) {
    const folder = path.join(tools, 'lecture');
    return readdirSync(folder).filter((name) => /^\d.*\.md$/.test(name)).sort()
        .map((name) => {
            const text = readFileSync(path.join(folder, name), 'utf8');
            let line = 1;
            const slides = text.split(/^---\n/m).map((part) => {
                const [body, note = ''] = part
                    .replace(/^<!--.*-->$/m, '').split(/^Note: /m);
                const slide = { line, text: body, note,
                    optional: /^[\d.]+ min, optional\b/.test(note),
                    minutes: Number(note.match(/^([\d.]+) min\b/)?.[1]) };
                line += part.split('\n').length;
                return slide;
            });
            return { file: `${FOLDER}/${name}`, slides,
                title: text.match(/^<!-- chapter: (.*) -->/)?.[1] ?? name };
        });
}

// The commands of a chapter's demos: [{line, look, expect, commands}].
export function demos(chapter) {
    return chapter.slides.flatMap(({ line, text }) =>
        [...text.matchAll(/^```(demo(?:-look)?)(?: (.*))?\n([^]*?)^```/gm)]
            .map(([, kind, expect, commands]) => ({ file: chapter.file, line,
                look: kind === 'demo-look', expect, commands })));
}

// Boxes are divs with Markdown in them.
function boxes(text) {
    return text.replace(/^::: (\w+)\n/gm, (_, name) =>
        `<div class="${name}${name === 'answer' ? ' fragment' : ''}">\n\n`)
        .replace(/^:::$/gm, '\n</div>\n');
}

function renderer() {
    const md = new MarkdownIt({ html: true, typographer: true,
        quotes: '“”‘’' });
    md.renderer.rules.fence = (list, i) => {
        const [language] = list[i].info.trim().split(/\s+/);
        const body = list[i].content.replace(/\n$/, '');
        const inner = code(body, language.startsWith('demo') ? 'bash' : language);
        return language.startsWith('demo')
            ? `<figure class="demo"><figcaption>live</figcaption><pre><code>${
                inner}</code></pre></figure>\n`
            : `<pre><code>${inner}</code></pre>\n`;
    };
    md.renderer.rules.code_inline = (list, i) =>
        `<code>${escape(list[i].content)}</code>`;
    return md;
}

const md = renderer();

// Markdown must not touch what markers become: they are put in afterwards.
function render(site, up, text, where) {
    const held = [];
    const lean = text.replace(MARKER, (all, kind, words) => {
        try {
            held.push(marker(site, up, kind, words));
        } catch (error) {
            if (!(error instanceof Missing))
                throw error;
            site.problems.push(`${where}: ${error.message}`);
            held.push('');
        }
        return `<i data-held="${held.length - 1}"></i>`;
    });
    return md.render(boxes(lean.replaceAll('](site:', `](${up}`)))
        .replace(/<p>((?:\s*<i data-held="\d+"><\/i>)+)\s*<\/p>/g, '$1')
        .replace(/<i data-held="(\d+)"><\/i>/g, (_, n) => held[n]);
}

// A slide with little on it gets larger letters.
function isRoomy(text) {
    return !/\{\{(code|py|pair)|^::: columns/m.test(text) &&
        text.replace(MARKER, '').length < 800;
}

function section(site, up, chapter, slide) {
    const heading = slide.text.match(/^#+ (.*)/m)?.[1] ?? '';
    const where = `${chapter.file}:${slide.line}`;
    if (!(slide.minutes > 0))
        site.problems.push(`${where}: no "Note: N min"`);
    const opens = /^# /m.test(slide.text);
    const body = render(site, up, slide.text, where);
    const note = render(site, up, slide.note.replace(
        /^[\d.]+ min(, optional)?\b/, '**$&.**'), where);
    const name = path.basename(chapter.file, '.md').slice(3);
    const look = opens ? ' opening' : isRoomy(slide.text) ? ' roomy' : '';
    return `<section id="${name}-${slug(heading)}" class="${name}${look}" data-timing="${
        slide.minutes * 60}">${body}${opens ? '' : `<p class="where">${
        escape(chapter.title)}${slide.optional ? ' · optional' : ''}</p>`}<aside class="notes">${note}</aside></section>
`;
}

// What a chapter says about the project must be so.
function verify(site, chapter) {
    const text = chapter.slides.map((slide) => slide.text).join('---\n');
    const blank = (all) => all.replace(/[^\n]/g, '');
    check(text.replace(MARKER, '').replace(/^Note: .*/gm, blank), chapter.file,
        site.problems, site.root);
    for (const { line, note } of chapter.slides) {
        for (const [, span] of note.matchAll(/`([^`]+)`/g)) {
            const problem = spanProblem(span, site.root);
            if (problem)
                site.problems.push(`${chapter.file}:${line}: note: ${problem}`);
        }
    }
}

// The same to be read: [{title, slides: [{id, html, said, optional}]}]. A
// heading is one level lower; what opens a chapter has its title.
export function articles(site, up) {
    const lower = (html) => html.replace(/<(\/?)h([2-5])\b/g,
        (_, end, n) => `<${end}h${Number(n) + 1}`)
        .replace(/<h1[^]*?<\/h1>/, '')
        .replace(/<th([^>]*)><\/th>/g, '<td$1></td>')
        .replace(/<table/g, '<div class="table"><table')
        .replace(/<\/table>/g, '</table></div>');
    return chapters(site.tools).map((chapter) => ({ title: chapter.title,
        slides: chapter.slides.map((slide) => {
            const where = `${chapter.file}:${slide.line}`;
            const heading = slide.text.match(/^#+ (.*)/m)?.[1] ?? '';
            return { optional: slide.optional,
                id: `${path.basename(chapter.file, '.md').slice(3)}-${
                    slug(heading)}`,
                html: lower(render(site, up, slide.text, where)),
                said: render(site, up, slide.note.replace(
                    /^[\d.]+ min(, optional)?\b/, ''), where) };
        }) }));
}

// All sections, as HTML.
export function sections(site, up) {
    return chapters(site.tools).flatMap((chapter) => {
        verify(site, chapter);
        return chapter.slides.map((slide) =>
            section(site, up, chapter, slide));
    }).join('');
}
