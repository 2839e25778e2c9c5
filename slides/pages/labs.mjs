// labs: the hand-outs, for students.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { escape } from '../lib/highlight.mjs';
import { markdown } from '../lib/markdown.mjs';
import { mistakes } from '../lib/mistakes.mjs';
import { PAGE as SCHEDULER } from './scheduler.mjs';

const INDEX = 'labs/index.html';

export const section = { title: 'Labs', href: INDEX, folder: 'labs/',
    says: 'the hand-outs, for students', order: 50 };

// What to know before one begins. The hours are a guess, for somebody who has
// read what stands beside them.
const BEFORE = {
    puzzles: { hours: '3 to 4', hard: 'to predict before you look',
        know: 'what a thread and a mutex are',
        links: [['start.html#thread', 'Panel 5: thread'],
            ['timelines/condition.html', 'Timeline: the condition']] },
    protocol: { hours: '5 to 7', hard: 'care, not cleverness',
        know: 'pointers and sizes in C; nothing of networks',
        links: [['start.html#socket', 'Panel 4: socket'],
            ['parser.html', 'The parser, byte by byte'],
            ['columns/receive.html', 'Step receive']] },
    threads: { hours: '6 to 9', hard: 'what is right by luck',
        know: 'how a function is given to a thread',
        links: [['start.html#thread', 'Panel 5: thread'],
            ['columns/take.html', 'Step take'],
            ['scheduler.html', 'You are the scheduler'],
            ['timelines/condition.html', 'Timeline: the condition'],
            ['timelines/pool.html', 'Timeline: the pool']] },
    processes: { hours: '8 to 12', hard: 'many ends, and deaths',
        know: 'fork, waitpid, what a child inherits',
        links: [['start.html#pipe', 'Panel 3: pipe'],
            ['start.html#fork', 'Panel 6: fork'],
            ['columns/start.html', 'Step start'],
            ['timelines/pipe.html', 'Timeline: the pipe'],
            ['timelines/killed.html', 'Timeline: a worker is killed']] },
    evloop: { hours: '10 to 14', hard: 'who frees what, and when',
        know: 'callbacks with a context',
        links: [['start.html#non-blocking', 'Panel 7: EAGAIN'],
            ['start.html#epoll', 'Panel 8: epoll'],
            ['columns/deliver.html', 'Step deliver'],
            ['backpressure.html', 'Back-pressure, to be operated'],
            ['timelines/watermark.html', 'Timeline: the marks']] },
    coroutines: { hours: '10 to 13', hard: 'who may run between two lines',
        know: 'what a call leaves on the stack',
        links: [['columns/receive.html', 'Step receive, with the fourth column'],
            ['start.html#epoll', 'Panel 8: epoll'],
            ['timelines/condition.html', 'Timeline: the condition']] },
    comparison: { hours: '4 to 6', hard: 'to predict before you look',
        know: 'a spreadsheet, or pencil and paper',
        links: [['index.html', 'What it costs'],
            ['timelines/head.html', 'Timeline: the head of the line']] },
};

function folders(root) {
    const common = path.join(root, 'common/lab');
    return [...(existsSync(common) ? readdirSync(common)
        .map((name) => `common/lab/${name}`) : []),
    'puzzles/lab', 'threads/lab', 'processes/lab', 'evloop/lab', 'evloop/coroutines/lab']
        .filter((folder) => existsSync(path.join(root, folder, 'handout.md')));
}

// [{file, name, page, title, number, text}], in the order of their numbers.
function handouts(root) {
    return folders(root).map((folder) => {
        const file = `${folder}/handout.md`;
        const text = readFileSync(path.join(root, file), 'utf8');
        const toml = path.join(root, folder, 'lab.toml');
        const about = existsSync(toml) ? readFileSync(toml, 'utf8') : '';
        const name = folder.startsWith('common') ? path.basename(folder)
            : path.basename(path.dirname(folder));
        return { file, name, text, page: `labs/${name}.html`,
            number: Number(about.match(/^number *= *(\d+)/m)?.[1] ?? 99),
            title: about.match(/^title *= *"(.*)"/m)?.[1] ??
                text.match(/^# (.*)$/m)?.[1] ?? name };
    }).sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
}

export function wanted(site) {
    if (folders(site.root).length > 0)
        return true;
    site.say('There are no hand-outs of labs: no pages of them');
    return false;
}

export function announce(site) {
    for (const lab of handouts(site.root))
        site.sources.set(lab.file, lab.page);
}

// How long, how hard, what to know and look at before; nothing of some. Its
// hand-out says the first and the third itself.
function facts(lab, site, all) {
    const before = BEFORE[lab.name];
    if (before === undefined)
        return '';
    const wrong = mistakes(site.root).filter((m) =>
        m.lab.split(/\W/)[0] === lab.name).length;
    const links = before.links.filter(([to]) => to !== SCHEDULER ||
        !site.course).map(([to, text]) =>
        `<a href="../${to}">${escape(text)}</a>`);
    const hours = lab.text.match(/\*\*Time\*\*: ([\w ]+?) hours/)?.[1] ??
        before.hours;
    return `<dl class="facts">${all ? `<dt>Hours</dt><dd>${hours}</dd>
<dt>Know before</dt><dd>${before.know}</dd>` : ''}<dt>What is hard</dt><dd>${
    before.hard}</dd>
<dt>Look before</dt><dd>${links.join(', ')}</dd>
${wrong === 0 ? '' : `<dt>Look after</dt><dd><a
href="../mistakes/index.html">${wrong} mistakes</a> that its grader must catch</dd>`}
</dl>`;
}

const summary = (lab, site) => `<section class="lab"><h2><a href="../${
    lab.page}">${escape(lab.title)}</a></h2>${facts(lab, site, true)}</section>`;

export async function make(site) {
    const all = handouts(site.root);
    for (const lab of all) {
        const heads = [];
        const text = markdown(site, lab.text,
            { file: lab.file, page: lab.page, heads, lowest: 1 });
        const parts = heads.filter((h) => h.level === 2);
        const toc = parts.length < 3 ? '' : `<details class="toc"><summary>On
this page</summary><ul>${parts.map((h) => `<li><a href="#${h.id}">${
            escape(h.text.replaceAll('`', ''))}</a></li>`).join('')}</ul></details>`;
        const title = heads[0]?.level === 1 ? ''
            : `<h1>${escape(lab.title)}</h1>`;
        site.page({ page: lab.page, title: lab.title, kind: 'handout', body: `
<p class="crumbs"><a href="../${INDEX}">Labs: hours, and what to look at
before</a></p>
${title}${text.replace(/(<\/h1>)/, `$1\n${facts(lab, site, false)}${toc}`)}` });
    }
    site.page({ page: INDEX, title: 'Labs', body: `
<h1>Labs</h1>
<p class="lead">Most are cut from the source that these pages show: the comment
above a function stays as its specification, the body is yours. The puzzles, to begin
with, are small programs of their own; in the comparison you predict, measure and
explain.</p>
<p>A lab is a folder of its own, with a hand-out, the source, and the tests that
you may see: <code>./run lab new threads ~/lab2</code> makes one, and <code>./run
lab grade ~/lab2</code> says how far you are. The hours are a guess.</p>
${all.map((lab) => summary(lab, site)).join('\n')}` });
}
