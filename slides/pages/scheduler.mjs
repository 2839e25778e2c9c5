// scheduler: the reader decides which thread goes on, on the source's own queue
// and pool, right and with mistakes: lib/schedules.mjs.
import { escape } from '../lib/highlight.mjs';
import { mistakes } from '../lib/mistakes.mjs';
import { canExplore, schedulesOf, scenes } from '../lib/schedules.mjs';
import '../script/scheduler_core.js';

export const PAGE = 'scheduler.html';
export const slow = true;

// In a course's site the code would give away what a lab asks for.
export function wanted(site) {
    return !site.course;
}

// Where the page begins with a mistake: for links.
export function scheduleOf(site, number) {
    const has = !site.course && canExplore(site.bin) && scenes(site.root).some((s) =>
        s.mistakes.includes(number));
    return has ? `${PAGE}#mistake-${number}` : undefined;
}

// The shortest schedule that fails with a mistake, in words: {steps, end}.
export function shortestOf(site, number) {
    const scene = scenes(site.root).find((s) => s.mistakes.includes(number));
    const graph = globalThis.triptychGraph(
        schedulesOf(site.root, site.bin).graphs[scene.name][number]);
    const path = graph.shortest();
    return { end: graph.end(path.at(-1).to), says: scene.says,
        steps: path.map((step) => {
            const done = step.steps.map(([, text]) =>
                text.replace(/^\((.*)\)$/, '$1'));
            return `${graph.names[step.thread]}: ${
                done.length > 0 ? done.join('; ') : 'begins'}`;
        }) };
}

const plain = (text) => escape(text.replaceAll('`', ''));

function choices(site) {
    const all = mistakes(site.root);
    const list = scenes(site.root).flatMap((scene) =>
        scene.mistakes.map((number) => ({ scene, number,
            title: all.find((m) => m.number === number)?.title ?? '' })))
        .sort((a, b) => a.number - b.number);
    const group = (file, title) => `<optgroup label="${title}">${list
        .filter((e) => e.scene.file === file).map(({ scene, number, title: t }) =>
            `<option id="mistake-${number}" value="${scene.name} ${number}">${
                escape(scene.title)}: mistake ${number}, ${plain(t)}</option>`)
        .join('')}</optgroup>`;
    return group('queue', 'The queue') + group('pool', 'The pool');
}

// What the script needs of a graph: no more.
function data(site, { graphs, code }) {
    const all = mistakes(site.root);
    const about = Object.fromEntries(scenes(site.root).map((s) => [s.name,
        { says: s.says, title: s.title, file: s.file }]));
    const pages = Object.fromEntries(all.map((m) => [m.number,
        { page: m.page, title: m.title, functions: m.functions }]));
    const numbers = scenes(site.root).flatMap((s) => s.mistakes);
    return JSON.stringify({ about, graphs, code,
        mistakes: Object.fromEntries(numbers.map((n) => [n, pages[n]])) })
        .replaceAll('<', '\\u003c');
}

function operated(site, found) {
    return `<div class="scheduler" hidden>
<form onsubmit="return false">
<p><label>A scene, and what is wrong in it
<select data-is="choice">${choices(site)}</select></label></p>
<p class="choices"><label><input type="radio" name="version" value="wrong" checked>
with the mistake</label> <label><input type="radio" name="version" value="right">
with the right code</label></p>
</form>
<p class="scene" data-is="scene"></p>
<div class="bar"><button type="button" data-is="back">Back</button><button
type="button" data-is="forward">Forward</button><button type="button"
data-is="begin">From the beginning</button><button type="button"
data-is="hint">A hint</button><button type="button" data-is="watch">The shortest
way to fail</button></div>
<p class="told" data-is="told" role="status"></p>
<div class="stage">
<div class="who">
<h2>The threads: who goes on?</h2>
<ul class="threads" data-is="threads"></ul>
<div class="state"><h2>What they share</h2>
<dl class="facts" data-is="values"></dl></div>
<h2>What has happened</h2>
<ol class="happened" data-is="happened"></ol>
</div>
<div class="where" data-is="code" tabindex="0" role="group" aria-label="The
code"></div>
</div></div>
<noscript><p>This page needs its script.</p></noscript>
<script type="application/json" id="schedules">${data(site, found)}</script>`;
}

export async function make(site) {
    const found = schedulesOf(site.root, site.bin);
    if (found.missing)
        site.say(`The scheduler's page is left out: ${found.missing}`);
    site.page({ page: PAGE, title: 'You are the scheduler',
        kind: 'scheduler-page', scripts: found.missing ? []
            : ['script/scheduler_core.js', 'script/scheduler.js'], body: `
<p class="crumbs"><a href="try.html">Try it</a></p>
<h1>You are the scheduler</h1>
<div class="lead"><p>Threads that are wrong are wrong under some schedules only.
Here you decide which thread goes on, on the lines of
<a href="source/threads/queue.c.html"><code>threads/queue.c</code></a> and
<a href="source/threads/pool.c.html"><code>pool.c</code></a> themselves. Can you
make it fail? And the right code?</p></div>
${found.missing ? `<p class="left-out">It was left out when this site was made:
${escape(found.missing)}.</p>` : operated(site, found)}
<h2>How to</h2>
<ul class="tries"><li>A step goes from where a thread stands to the next place
where it matters who goes on: a lock, a wait, a signal. What lies between is done
at once; unlocking is within a step, for until then the others can only wait.</li>
<li>Keys: the numbers let a thread go on, the arrows go back and forward,
<b>H</b> is a hint, <b>W</b> the shortest way to fail, <b>R</b> begins again.</li>
<li>All states and all steps of each scene are here, made by the labs’ explorer
when the site was: what the page says of “never” was looked at whole.</li></ul>`
    });
}
