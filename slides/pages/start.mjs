// start: from zero. Eight panels, each with a picture, a program and a
// question, from slides/start/N-name.{svg,c,md}; and the stations after them,
// from start.md. The programs are built with the tests; each is run when the
// site is made, and what it prints is what stands there.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { escape } from '../lib/highlight.mjs';
import { lined } from '../lib/lined.mjs';
import { markdown } from '../lib/markdown.mjs';
import { Missing, definition, read } from '../lib/source.mjs';
import { picture } from '../lecture/markers.mjs';

const FOLDER = 'slides/start';
const PAGE = 'start.html';

export const section = { title: 'Start here', href: PAGE, order: 5,
    says: 'eight pictures, eight small programs, and the way from there' };

export function panels(root) {
    return readdirSync(path.join(root, FOLDER))
        .filter((name) => /^\d-.*\.c$/.test(name)).sort()
        .map((name) => {
            const [, number, word] = name.match(/^(\d)-(.*)\.c$/);
            const file = `${FOLDER}/${number}-${word}.md`;
            const text = readFileSync(path.join(root, file), 'utf8').match(
                /^# (.*)\n([^]*)\n## Question\n([^]*)\n## Answer\n([^]*)$/);
            if (text === null)
                throw new Missing(`${file} has no title, question or answer`);
            const [, title, says, question, answer] = text;
            return { number, word, title, says, question, answer, file,
                source: `${FOLDER}/${name}`, picture: `${number}-${word}`,
                program: `start-${word}` };
        });
}

// What the program prints, here and now.
export function printed(bin, panel) {
    const at = path.join(bin, 'tests', panel.program);
    if (!existsSync(at))
        throw new Missing(`${at} is not there: build first`);
    const { status, stdout, error } = spawnSync(at, { encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 });
    if (status !== 0)
        throw new Missing(`${panel.source} fails: ${error ?? status}`);
    return stdout;
}

// What main does, without its frame; and before it what it runs.
function lines(file, root) {
    const body = definition(file, 'main', root).code.split('\n')
        .slice(2, -1).map((line) => line.replace(/^ {4}/, ''))
        .filter((line) => line !== 'return 0;').join('\n');
    const helper = read(file, root).items.find((i) => i.name === 'work');
    return helper ? `${helper.code}\n\n${body}` : body;
}

function panelOf(site, panel) {
    const html = (text) => markdown(site, text, { file: panel.file, page: PAGE });
    const code = (text) => lined(text, panel.source, '', undefined, site.root);
    const whole = read(panel.source, site.root).text.trimEnd();
    return `<section class="panel" aria-labelledby="${panel.word}">
<h2 id="${panel.word}"><span class="number">${panel.number}</span> ${
        escape(panel.title)}</h2>
<div class="sketched">${picture(site, { plain: [`../../start/${panel.picture}`] })
    }</div>
<div class="says">${html(panel.says)}</div>
<div class="runs"><pre><code>${code(lines(panel.source, site.root))}</code></pre>
<p class="prints">It prints</p><pre class="printed"><samp>${
    escape(printed(site.bin, panel).trimEnd())}</samp></pre>
<details><summary>The whole program</summary><p>Save it as <code>${panel.word
    }.c</code>, then: <code>cc -pthread ${panel.word}.c &amp;&amp; ./a.out</code></p>
<pre><code>${code(whole)}</code></pre></details></div>
<div class="asks">${html(panel.question)}<details><summary>Answer</summary>${
    html(panel.answer)}</details></div></section>`;
}

export async function make(site) {
    const file = `${FOLDER}/start.md`;
    const [top, below] = readFileSync(path.join(site.root, file), 'utf8')
        .split('[panels]\n');
    const html = (text, lowest) =>
        markdown(site, text, { file, page: PAGE, lowest });
    const list = panels(site.root);
    site.page({ page: PAGE, title: 'Start here', kind: 'start', body: `
${html(top, 1)}
<nav class="contents-line" aria-label="The panels"><ol>${list.map((p) =>
        `<li><a href="#${p.word}">${escape(p.title)}</a></li>`).join('')}</ol></nav>
<div class="panels">${list.map((p) => panelOf(site, p)).join('\n')}</div>
<div class="after">${html(below, 2)}</div>` });
}
