// index: the front page.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { figure, results, resultsFile, verdict } from '../lib/figures.mjs';
import { escape } from '../lib/highlight.mjs';
import { lanes } from '../lib/lanes.mjs';
import { markdown } from '../lib/markdown.mjs';
import { MODELS } from '../lib/source.mjs';
import { picture } from '../lecture/markers.mjs';
import { chromiumPath } from '../lecture/print.mjs';

// What the table shows: workload, column, what it says.
const SHOWN = [
    ['small', 'rate', 'many small bodies'],
    ['small', 'memory', 'many small bodies: memory'],
    ['latency@1000', 'rate', 'a thousand at once, each after 100 ms'],
    ['c10k', 'whole', 'ten thousand at once: memory, the kernel’s too'],
    ['slow-sink', 'memory', 'a slow consumer: memory'],
    ['cpu', 'rate', 'CPU-bound work with each body'],
];

function table(site) {
    const rows = SHOWN.map(([workload, column, what]) => `<tr><th scope="row">${
        what} <small>${workload}</small></th>${MODELS.map((model) => {
        const { text, spread } = figure(workload, model, column, site.root);
        return `<td class="figure ${model}" data-of="${model}">${text}<small>${
            spread}</small></td>`;
    }).join('')}<td>${verdict(workload, MODELS, column, site.root)}</td></tr>`);
    return `<div class="table"><table class="figures"><thead><tr>
<th scope="col">workload</th>${MODELS.map((m) =>
        `<th scope="col"><b class="tag ${m}">${m}</b></th>`).join('')
    }<th scope="col">verdict</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

export async function make(site) {
    const file = 'slides/pages/index.md';
    const text = readFileSync(path.join(site.root, file), 'utf8');
    const body = markdown(site, text, { file, page: 'index.html', lowest: 1 });
    const doors = site.sections.map(({ title, href, says }) =>
        `<li><a href="${href}">${escape(title)}</a> <span>${escape(says ?? '')
        }</span></li>`);
    site.page({ page: 'index.html', title: 'triptych', kind: 'front',
        scripts: ['script/lanes.js'], body: body
            .replace('<p>[lanes]</p>', () =>
                lanes(site, 'front', { plays: true }))
            .replace('<p>[doors]</p>', `<ul class="doors">${
            doors.join('')}</ul>${chromiumPath() === undefined ? ''
            : '<p class="aside"><a href="lecture.pdf">The lecture as a PDF</a></p>'
            }<p class="aside"><a href="reading.html">The lecture, to be read: each
slide, and what is said to it</a></p>`)
            .replace('<p>[figures]</p>', `${table(site)}<p class="aside">${
                results(site.root).notes.filter((n) => /^cores|measured earlier/.test(n))
                    .map(escape).join('; ')}. Medians, and least to most, from
<code>${path.relative(site.root, resultsFile(site.root))}</code>.</p>`)
            .replace('<p>[drain]</p>', () => `<figure class="picture"><div
role="img" aria-label="Memory over time: flat with watermarks, a gigabyte
without; below, the saw-tooth of one stream between its marks">${
                picture(site, { plain: ['../../pictures/drain'] })
            }</div></figure>`) });
}
