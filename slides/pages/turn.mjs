// turn: one turn of the loop after the other, from a run of evloop/minimal.c,
// beside the threads of a run with the same URLs: lib/turns.mjs.
//
// They are two runs, and drift apart by some milliseconds. While the loop sleeps
// its requests stay as they are. So the threads are looked at some way into the
// next sleep that is long, when they have done what there was to do, too.
import { escape } from '../lib/highlight.mjs';
import { resolve, sourceHref } from '../lib/names.mjs';
import { definition } from '../lib/source.mjs';
import { recorded, stacksAt } from '../lib/turns.mjs';

export const PAGE = 'turn.html';
export const slow = true; // it runs the programs

const PATHS = ['/bytes/300?delay=150', '/bytes/20?delay=50',
    '/bytes/40?delay=250'];
const SLEEPS = { recv: 'asleep in recv', pthread_cond_wait:
    'asleep on the condition', pthread_join: 'asleep in pthread_join',
minimal_connect: 'asleep while it connects' };
const LOOP = ['evloop/minimal.c', 'evloop/minimal_source.c'];

const SETTLED_US = 20_000;

// The first turn is that in which nothing has begun: it is not put off.
export function besideAt(turns, i) {
    const long = (turn) => turn === undefined || turn.slept >= SETTLED_US;
    let at = i;
    while (i > 0 && !long(turns[at + 1]))
        at++;
    const next = turns[at + 1]?.slept ?? Infinity;
    return turns[at].us + Math.min(next / 2, SETTLED_US);
}

const request = (place) => `request ${place + 1}`;
const ms = (us) => us < 1000 ? 'less than 1 ms' : `${Math.round(us / 1000)} ms`;

function named(site, name, files) {
    for (const file of files) {
        const entry = resolve(file, name, ['function'], site.root);
        if (entry !== undefined && entry.file === file)
            return `<a href="${sourceHref(entry)}"><code>${name}</code></a>`;
    }
    return `<code>${name}</code>`;
}

function waiting({ place, events }, ready) {
    const is = ready.some((r) => r.place === place);
    const what = place < 0 ? 'standard output: room'
        : `${request(place)}: ${events.includes('w') ? 'it is connected, or has room'
            : 'bytes, or the end'}`;
    return `<li${is ? ' class="ready"' : ''}>${what}${is ? ' <b>ready</b>' : ''
    }</li>`;
}

const OF_LIBEVENT = new Set(['on_event', 'on_sent', 'on_drained']);

function called(site, calls) {
    if (calls.length === 0)
        return '';
    const item = (call, i) => {
        const inner = calls[i + 1]?.depth > call.depth;
        const who = call.place < 0 || call.depth > 0 ? ''
            : ` ${request(call.place)}`;
        return `<li style="--n:${call.depth}">${named(site, call.name, LOOP)}${who}${
            call.name === 'go_on' && !inner ? ': nothing that it could do' : ''
        }</li>`;
    };
    return `<ul class="calls">${calls.map(item).join('')}</ul>`;
}

function remembered(site, has, before, wants) {
    const cell = (now, was) => `<td${before !== undefined && now !== was
        ? ' class="changed"' : ''}>${now}</td>`;
    const shown = (h) => h === undefined ? [] : [wants[h.want].toLowerCase(),
        h.ahead === 0 ? 'none' : `${h.ahead} bytes`,
        h.ended === -1 ? 'no' : h.ended === 0 ? 'yes' : 'by an error'];
    const rows = PATHS.map((_, i) => {
        const h = has.find((one) => one.id === i);
        if (h === undefined)
            return `<tr><th scope="row">${i + 1}</th><td colspan="3">nothing: ${
                before === undefined ? 'it has not begun' : 'it is done, its place is free'}</td></tr>`;
        const was = shown(before?.find((one) => one.id === i));
        return `<tr><th scope="row">${i + 1}</th>${shown(h).map((text, k) =>
            cell(text, was[k])).join('')}</tr>`;
    });
    return `<div class="table"><table class="remembers"><caption>What each request
remembers</caption><thead><tr><th scope="col">no.</th><th scope="col">it
wants to</th><th scope="col">read ahead</th><th scope="col">the server has
ended</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function beside(site, stacks) {
    return `<ul class="threads">${stacks.map((stack, i) => {
        const inner = stack?.at(-1);
        const is = stack === null ? 'is not there'
            : SLEEPS[inner] ?? 'runs';
        return `<li class="thread t${i}${SLEEPS[inner] ? ' waits' : ''}"><h4>${
            i === 0 ? 'main' : `thread ${i}`}</h4> <span class="does">${is}</span>${
            stack === null ? '' : `<p>${stack.map((name) => named(site, name,
                ['threads/minimal.c'])).join(' › ')}</p>`}</li>`;
    }).join('')}</ul>`;
}

function drawn(site, turns, threads, wants) {
    return turns.map((turn, i) => {
        const callbacks = turn.calls.filter((c, k) => {
            for (; turn.calls[k].depth > 0; k--)
                ;
            return OF_LIBEVENT.has(turn.calls[k].name);
        });
        const rounds = turn.calls.filter((c) => !callbacks.includes(c));
        return `<section class="turn-of" id="turn-${i}" aria-label="Turn ${i}">
<h2>${i === 0 ? 'Before the first turn' : `Turn ${i} of ${turns.length - 1}`}</h2>
<div class="halves"><div><h3>The loop</h3>
${i === 0 ? '' : `<p><b>It slept</b>, ${ms(turn.slept)}, until one of these was
ready:</p><ul class="descriptors">${turn.waits.map((w) => waiting(w,
        turn.ready)).join('')}</ul>
${callbacks.length === 0 ? `<p><b>No callback</b> is ours: libevent reads ahead by
itself.</p>` : `<p><b>Callbacks</b>, which note what has happened:</p>${
        called(site, callbacks)}`}`}
<p><b>Each request goes on</b>, as far as it goes now:</p>
${called(site, rounds)}
${remembered(site, turn.has, turns[i - 1]?.has, wants)}</div>
<div><h3>Threads, in a run of theirs</h3>
${beside(site, stacksAt(threads, besideAt(turns, i)))}</div></div></section>`;
    }).join('\n');
}

export async function make(site) {
    const { turns, threads } = await recorded(site.bin, PATHS);
    const wants = definition('common/exchange.h', 'want', site.root).constants
        .map((name) => name.replace('WANT_', ''));
    site.page({ page: PAGE, title: 'One turn of the loop', kind: 'turn-page',
        scripts: ['script/turn.js'], body: `
<p class="crumbs"><a href="try.html">Try it</a></p>
<h1>One turn of the loop</h1>
<div class="lead"><p>Three requests, whose servers answer after 150, 50 and 250 ms:
<a href="source/evloop/minimal.c.html"><code>evloop/minimal.c</code></a>, as it ran
when this page was made, from one sleep to the next; and beside it the threads of
<a href="source/threads/minimal.c.html"><code>threads/minimal.c</code></a>. What a
thread has on its stack, a request has in its struct.</p>
<p>They are two runs, set side by side by the time since the requests had been
sent, and not event by event. The threads are shown as they are when the loop next
sleeps for long: by then both have done what there was to do. In the short sleeps
before that they may be a step ahead of it. A thread has the request that it took:
its number is not the request’s.</p></div>
<div class="bar turning" hidden><button type="button" data-is="back">Back</button><button
type="button" data-is="next">Next turn</button><label class="slide"><span>Turns
of the loop</span><input data-is="where" type="range" min="0" max="${
    turns.length - 1}" value="0"></label></div>
<p class="skip" role="status" data-is="told"></p>
${drawn(site, turns, threads, wants)}
<h2 id="questions">To think about</h2>
<ul class="tries"><li>The second answer comes first. Where does it wait until it
may be written, in the loop, and with threads?</li>
<li>What would a callback that sleeps for a second do to the other two?</li>
<li>Which line of the threads’ code is the table’s “it wants to”?</li></ul>` });
}
