// waits: draws who held a lock, and who slept on its condition.
import { escape } from './highlight.mjs';
import { Missing } from './source.mjs';

const LABEL = 110;
const LANE = 46;
const MOST = 60; // events that are drawn

const say = (us) => us >= 1000 ? `${(us / 1000).toFixed(1)} ms`
    : `${us.toFixed(us < 10 ? 1 : 0)} µs`;

// The lock is the one that somebody waits with on a condition, without a
// limit: in a run that keeps no bodies that is the queue's.
function moments(log) {
    const first = log.find((e) => e.what === 'wait');
    if (first === undefined)
        throw new Missing('no thread has waited on a condition');
    const list = [];
    for (const e of log) {
        if (e.what === 'signal' && e.condition === first.condition)
            list.push({ at: e.from, thread: e.thread, is: 'signal' });
        if (e.mutex !== first.mutex)
            continue;
        if (e.what === 'lock') {
            list.push({ at: e.from, thread: e.thread, is: 'asks' });
            list.push({ at: e.to, thread: e.thread, is: 'has' });
        } else if (e.what === 'unlock') {
            list.push({ at: e.from, thread: e.thread, is: 'gives' });
        } else if (e.what === 'wait') {
            list.push({ at: e.from, thread: e.thread, is: 'sleeps' });
            list.push({ at: e.to, thread: e.thread, is: 'wakes' });
        }
    }
    list.sort((a, b) => a.at - b.at);
    // From where it becomes interesting: a first thread has gone to sleep.
    const from = list.findIndex((m) => m.is === 'sleeps') - 6;
    return list.slice(Math.max(from, 0)).slice(0, MOST);
}

// Long stretches are drawn short: by their logarithm.
function placed(list) {
    let x = LABEL + 12;
    return list.map((m, i) => {
        if (i > 0)
            x += 4 + 8 * Math.log10(1 + (m.at - list[i - 1].at) * 3);
        return { ...m, x: Math.round(x * 10) / 10 };
    });
}

// What a thread is at from a moment of its own to its next.
const STATES = { asks: 'asks', has: 'holds', gives: '', sleeps: 'sleeps',
    wakes: 'holds' };

export function drawLocks(log, id, caption) {
    const list = placed(moments(log));
    const main = Math.min(...log.map((e) => e.thread)); // the first there is
    const threads = [...new Set(list.map((m) => m.thread))]
        .sort((a, b) => a - b);
    const name = (t) => t === main ? 'main thread'
        : `worker ${threads.filter((x) => x !== main).indexOf(t)}`;
    const width = list.at(-1).x + 30;
    const height = threads.length * LANE + 40;
    const out = [];
    const told = [];
    threads.forEach((thread, i) => {
        const y = 22 + i * LANE;
        out.push(`<text class="lane" x="0" y="${y + 20}">${name(thread)}</text>`,
            `<line class="grid" x1="${LABEL}" x2="${width}" y1="${y + 15}" y2="${
                y + 15}"/>`);
        let state = '';
        let since = null;
        const own = list.filter((m) => m.thread === thread);
        const close = (m, x, isEnd) => {
            const length = isEnd ? null : m.at - since.at;
            if (state === 'holds') {
                out.push(`<rect class="holds" x="${since.x}" y="${y + 4}" width="${
                    Math.max(x - since.x, 2)}" height="22" rx="2"><title>${
                    name(thread)} holds the lock${length === null ? ''
                    : `, ${say(length)}`}</title></rect>`);
            } else if (state === 'sleeps') {
                out.push(`<g class="sleeps"><title>${name(thread)} sleeps in
pthread_cond_wait; the lock is released</title><line x1="${since.x}" x2="${x
                }" y1="${y + 15}" y2="${y + 15}"/>${x - since.x > 60
                    ? `<text x="${(since.x + x) / 2}" y="${y + 9}">${
                        x - since.x > 190 ? 'asleep, lock released' : 'asleep'}${
                        length === null ? '' : `: ${say(length)}`}</text>`
                    : ''}</g>`);
            } else if (state === 'asks' && x - since.x > 8) {
                out.push(`<line class="asks" x1="${since.x}" x2="${x}" y1="${
                    y + 15}" y2="${y + 15}"><title>waits for the lock</title></line>`);
            }
            if (state !== '' && state !== 'asks')
                told.push({ at: since.at, text: state === 'holds'
                    ? `${name(thread)} holds the lock${length === null ? ''
                        : ` for ${say(length)}`}`
                    : `${name(thread)} sleeps, the lock released${
                        length === null ? '' : `, for ${say(length)}`}` });
        };
        for (const m of own) {
            if (m.is === 'signal') {
                out.push(`<path class="signal" d="M${m.x} ${y + 2}l-4 -8h8z">
<title>${name(thread)} signals</title></path>`);
                told.push({ at: m.at, text: `${name(thread)} signals` });
                continue;
            }
            if (since !== null)
                close(m, m.x, false);
            state = STATES[m.is];
            since = m;
        }
        if (since !== null)
            close(null, width, true);
    });
    const start = list[0].at;
    told.sort((a, b) => a.at - b.at);
    return `<figure class="timeline locks" id="${id}">
<ul class="legend" aria-label="Signs"><li class="holds"><span></span>holds the
lock</li><li class="sleeps"><span></span>sleeps in pthread_cond_wait, lock
released</li><li class="signal"><span></span>signals a condition</li></ul>
<div class="scroll" role="group" aria-label="Who holds the lock"><svg viewBox="0 0 ${
    width} ${height}" width="${width}" height="${height}">${out.join('')}</svg></div>
<figcaption>${caption}</figcaption>
<details class="steps-table"><summary>In words</summary><ol>${told.map((m) =>
        `<li>after ${say(m.at - start)}: ${escape(m.text)}</li>`).join('')}</ol>
</details></figure>`;
}
