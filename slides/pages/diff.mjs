// diff: threads/minimal.c and evloop/coroutines/minimal.c, line by line. What
// differs is who waits.
import { diff } from '../lib/diff.mjs';
import { escape } from '../lib/highlight.mjs';
import { read } from '../lib/source.mjs';

const PAGE = 'columns/await.html';
const OLD = 'threads/minimal.c';
const NEW = 'evloop/coroutines/minimal.c';

// The code alone: what their first comments say they say of themselves.
function code(file, root) {
    const { text } = read(file, root);
    return text.slice(text.indexOf('*/') + 3).trimEnd().split('\n');
}

export async function make(site) {
    const up = site.up(PAGE);
    const lines = diff(code(OLD, site.root), code(NEW, site.root));
    const drawn = lines.map(([sign, line]) => {
        const name = { '-': 'del', '+': 'ins', ' ': 'span' }[sign];
        const n = line.match(/^ */)[0].length;
        return `<${name} class="dl" style="--n:${n}">${sign} ${
            escape(line)}\n</${name}>`;
    }).join('');
    const link = (file) => `<a href="${up}source/${file}.html">${file}</a>`;
    site.page({ page: PAGE, title: 'A thread without the kernel',
        kind: 'diff', body: `
<h1>A thread without the kernel</h1>
<p class="lead">What stands in ${link(OLD)} alone begins with a minus, what in
${link(NEW)} alone with a plus. A condition is awaited where the thread sleeps on
it; the locks are gone, for between two awaits nobody else runs; and before bytes
are received, somebody has to say that they are awaited. The request itself -
<code>work</code> - is the same.</p>
<div class="scroll"><pre class="code" tabindex="0"><code>${drawn}</code></pre></div>
<p class="aside">How a coroutine waits: <a href="${up
        }source/evloop/coroutines/coroutine.h.html">coroutine.h</a>. And <a
href="stackless.html">what a compiler makes of await</a>, without a stack. What a wait
costs: <a href="${up}reading.html#asyncio-four-ways-to-wait">four ways to
wait</a>.</p>` });
}
