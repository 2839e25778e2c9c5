// backpressure: evloop/stream.c in the page, as WebAssembly, with all around it
// simulated: slides/backpressure.
import { escape } from '../lib/highlight.mjs';
import { compiled } from '../lib/wasm.mjs';

const PAGE = 'backpressure.html';

// {bytes} or {missing}: wasm.mjs.
export function simulatorOf(root) {
    const folder = 'slides/backpressure';
    return compiled(root, [`${folder}/simulator.c`, `${folder}/world.c`,
        'evloop/stream.c'], [`${folder}/world`, folder, 'evloop']);
}

const slider = (name, label, least, most, step, value) =>
    `<p><label>${label} <output data-is="${name}-says"></output><input type="range"
data-is="${name}" min="${least}" max="${most}" step="${step}" value="${value
    }"></label></p>`;

const choice = (name, label) => `<p><label class="switch"><input type="checkbox"
data-is="${name}"> ${label}</label></p>`;

function operated(bytes) {
    return `<div class="simulator" hidden>
<form onsubmit="return false">
${slider('consumer', 'The consumer takes', 0, 10000, 100, 1000)}
${slider('server', 'Each server sends', 0, 20000, 500, 8000)}
${slider('sources', 'Sources at once', 1, 8, 1, 4)}
${slider('high', 'High mark', 4, 1024, 4, 64)}
${slider('low', 'Low mark', 0, 1024, 4, 16)}
${choice('forgotten', 'drain is forgotten: the loop writes, and never asks')}
${choice('equal', 'low = high: no distance between the marks')}
${choice('tls', 'asyncio’s default for TLS: 512 KiB and 128 KiB')}
</form>
<div><div class="bar"><button type="button" data-is="go">Run</button>
<button type="button" data-is="one">1 ms</button>
<button type="button" data-is="ten">10 ms</button>
<button type="button" data-is="begin">From the beginning</button>
<span class="told" data-is="time"></span></div>
<table class="levels"><thead><tr><th scope="col">no.</th><th scope="col">socket
buffers</th><th scope="col">stash, in our memory</th><th scope="col">it is</th>
</tr></thead><tbody data-is="rows"></tbody></table>
<dl class="facts"><dt>Pipe to the consumer</dt><dd data-is="pipe"></dd>
<dt>The consumer has had</dt><dd data-is="taken"></dd>
<dt>A source was let go on</dt><dd data-is="drained"></dd>
<dt>Our memory</dt><dd><b data-is="memory"></b></dd>
<dt>Its bound, with drain</dt><dd data-is="bound"></dd></dl>
<svg class="plot" viewBox="0 0 600 170" role="img" aria-label="Our memory over the
last 600 milliseconds"><path class="faint" d="M0 160H600"/><path class="mark"
data-is="line" d=""/><path class="curve" data-is="curve" d=""/></svg>
<p class="aside">Our memory over the last 600 ms, up to <b data-is="scale"></b>;
dashed: its bound with drain.</p>
</div></div>
<noscript><p>This page needs its script.</p></noscript>
<script type="text/plain" id="wasm">${bytes.toString('base64')}</script>`;
}

export async function make(site) {
    const { bytes, missing } = simulatorOf(site.root);
    if (missing)
        site.say(`The simulator's page is left out: ${missing}`);
    site.page({ page: PAGE, title: 'Back-pressure', kind: 'simulator-page',
        scripts: missing ? [] : ['script/backpressure.js'], body: `
<p class="crumbs"><a href="try.html">Try it</a></p>
<h1>Back-pressure, to be operated</h1>
<div class="lead"><p>Servers send, a consumer takes, and the bodies must come out
in order: one source has the turn, the others run ahead. Where do the bytes wait?
The streams are <a href="source/evloop/stream.c.html"><code>evloop/stream.c</code></a>
itself, compiled for this page; what stands around them is simulated, a
millisecond a step.</p></div>
${missing ? `<p class="left-out">It was left out when this site was made: there
was no compiler for WebAssembly (${escape(missing)}). <code>./run site</code>
installs one where it can.</p>` : operated(bytes)}
<h2>To try</h2>
<ol class="tries"><li>Run it as it stands. Who is paused, and for how long? Where
do the bytes of a paused source wait, and what stops its server?</li>
<li>Forget to drain. Nothing else changes, and the consumer sees no difference.
What grows, and until when?</li>
<li>Move the marks together. How often is a source let go on now, for the same
bytes? That is what the distance between them is for.</li>
<li>Stop the consumer. What is the most that can lie in our memory?</li></ol>` });
}
