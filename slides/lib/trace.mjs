// trace: makes a run of a fetcher against the practice server with --trace,
// and reads what it has written (see common/trace.h).
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync,
    readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Missing } from './source.mjs';

const LIMIT_MS = 30000;

// The practice server, on a free port. {url, stop()}
export async function origin(bin) {
    const program = path.join(bin, 'tests/triptych-origin');
    if (!existsSync(program))
        throw new Missing(`there is no ${program}: ./run build makes it`);
    const child = spawn(program, ['--port', '0'],
        { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8');
    for await (const piece of child.stdout) {
        said += piece;
        if (/^http:\S+\n/m.test(said))
            break;
    }
    const url = said.match(/^(http:\S+?)\/?\n/m)?.[1];
    if (url === undefined)
        throw new Error(`triptych-origin said: ${said}`);
    return { url, stop: () => child.kill('SIGTERM') };
}

// Reads a FIFO at so many bytes a second, until its end. `full`, a promise,
// is fulfilled then.
function consume(fd, rate) {
    const buffer = Buffer.alloc(1 << 20);
    const tick = 10;
    let credit = 0;
    let before = Date.now();
    return new Promise((resolve, reject) => {
        const timer = setInterval(() => {
            const now = Date.now();
            credit = Math.min(credit + rate * (now - before) / 1000, rate / 10);
            before = now;
            try {
                while (credit >= 1) {
                    const n = readSync(fd, buffer, 0,
                        Math.min(credit, buffer.length) | 0, null);
                    if (n === 0) {
                        clearInterval(timer);
                        resolve();
                        return;
                    }
                    credit -= n;
                }
            } catch (error) {
                if (error.code !== 'EAGAIN') {
                    clearInterval(timer);
                    reject(error);
                }
            }
        }, tick);
    });
}

function feedLines(stdin, lines, every) {
    stdin.on('error', () => {}); // the program has ended: its status tells
    lines.forEach((line, i) => setTimeout(() => {
        stdin.write(`${line}\n`);
        if (i === lines.length - 1)
            stdin.end();
    }, (i + 1) * every));
}

function children(pid) {
    const file = `/proc/${pid}/task/${pid}/children`;
    return readFileSync(file, 'utf8').trim().split(/\s+/).filter(Boolean)
        .map(Number);
}

// Kills the newest child a moment after job N was taken, as the trace tells.
function killNewest(pid, file, n) {
    const timer = setInterval(() => {
        const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
        if (text.split(/"ph":"f"[^\n]*"cat":"job"/).length <= n)
            return;
        clearInterval(timer);
        setTimeout(() => {
            try {
                const victim = children(pid).at(-1);
                if (victim)
                    process.kill(victim, 'SIGKILL');
            } catch (error) {
                if (!['ENOENT', 'ESRCH'].includes(error.code))
                    throw error; // else it has ended already
            }
        }, 80);
    }, 10);
    return timer;
}

// Runs program with arguments; stdout goes to /dev/null, or, with `rate`, into
// a pipe that is read at that many bytes a second. `killAfter`: when so many
// jobs have been taken, and a moment more, its newest child is killed. `feed`: the URLs, the last words,
// come on standard input instead, one each so many milliseconds. The text of
// the trace.
export async function run(bin, program, words, { rate, killAfter, feed, env } = {}) {
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-site-'));
    const file = path.join(folder, 'trace');
    const fifo = path.join(folder, 'out');
    const open = [];
    try {
        let done = Promise.resolve();
        let stdout = 'ignore';
        if (rate !== undefined) {
            execFileSync('mkfifo', [fifo]);
            const reading = openSync(fifo,
                constants.O_RDONLY | constants.O_NONBLOCK);
            stdout = openSync(fifo, 'w');
            open.push(reading);
            done = consume(reading, rate);
        }
        const child = spawn(path.join(bin, program),
            ['--quiet', '--trace', file, ...(feed ? ['-i', '-'] : []),
                ...words.filter((w) => !feed || !/^http:/.test(w))],
            { stdio: [feed ? 'pipe' : 'ignore', stdout, 'pipe'],
                env: { ...process.env, ...env } });
        if (rate !== undefined)
            closeSync(stdout);
        if (feed)
            feedLines(child.stdin, words.filter((w) => /^http:/.test(w)), feed);
        let said = '';
        child.stderr.on('data', (piece) => { said += piece; });
        const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
        const killing = killAfter !== undefined &&
            killNewest(child.pid, file, killAfter);
        const status = await new Promise((resolve, reject) => {
            child.on('error', reject);
            child.on('close', (code, signal) => resolve(code ?? signal));
        });
        clearTimeout(limit);
        clearInterval(killing);
        await done;
        if (status !== 0)
            throw new Error(`${program} ${words.join(' ')}: ${status}: ${said}`);
        return readFileSync(file, 'utf8');
    } finally {
        open.forEach((fd) => closeSync(fd));
        rmSync(folder, { recursive: true });
    }
}

// Rounded to what can be seen.
const ms = (us) => Math.round(us) / 1000;

// {lanes: [{name, spans: [[step, from, to, id, depth, result, why]], counters}],
//  arrows, inFlight, end}; times in milliseconds.
export function parse(text) {
    const events = JSON.parse(text).traceEvents;
    const lanes = new Map();
    const at = (number) => {
        if (!lanes.has(number))
            lanes.set(number, { number, name: `${number}`, spans: [],
                counters: {} });
        return lanes.get(number);
    };
    const ends = new Map();
    const arrows = [];
    for (const e of events) {
        if (e.ph === 'M' && e.name === 'thread_name')
            at(e.tid).name = e.args.name;
        else if (e.ph === 'X')
            at(e.tid).spans.push([e.name, ms(e.ts), ms(e.ts + e.dur),
                e.args.id ?? null, 0, e.args.result ?? null]);
        else if (e.ph === 'C' && e.name !== 'in flight')
            (at(e.tid).counters[e.name] ??= []).push([ms(e.ts),
                Object.values(e.args)[0]]);
        else if (e.ph === 's' || e.ph === 'f') {
            const key = `${e.cat} ${e.id}`;
            if (!ends.has(key))
                ends.set(key, []);
            ends.get(key).push(e);
        }
    }
    for (const list of ends.values()) {
        const starts = list.filter((e) => e.ph === 's');
        const stops = list.filter((e) => e.ph === 'f');
        starts.forEach((s, i) => {
            if (stops[i])
                arrows.push([s.cat, ms(s.ts), s.tid, ms(stops[i].ts),
                    stops[i].tid, s.id]);
        });
    }
    const sorted = [...lanes.values()].sort((a, b) => a.number - b.number);
    for (const lane of sorted) {
        lane.spans.sort((a, b) => a[1] - b[1] || b[2] - a[2]);
        const open = [];
        for (const span of lane.spans) {
            while (open.length > 0 && open.at(-1)[2] <= span[1])
                open.pop();
            span[4] = open.length;
            open.push(span);
        }
        // The worker looks at its pipe after each write. When the parent has
        // its result, there is nothing in it until the next job.
        for (const [what, , from, at] of arrows) {
            if (what === 'result' && from === lane.number)
                lane.counters['in the pipe']?.push([at, 0]);
        }
        for (const list of Object.values(lane.counters))
            list.sort((a, b) => a[0] - b[0]);
    }
    const end = Math.max(...sorted.flatMap((l) => l.spans.map((s) => s[2])));
    return { lanes: sorted, arrows, end };
}

// --- Locks -----------------------------------------------------------------

// The waits on one condition, by a preloaded library: see locks.c.
export async function locks(site, words, feed) {
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-locks-'));
    const library = path.join(folder, 'locks.so');
    const file = path.join(folder, 'log');
    try {
        execFileSync('cc', ['-std=c17', '-Wall', '-Wextra', '-Werror', '-O1',
            '-shared', '-fPIC', '-o', library,
            path.join(site.tools, 'lib/locks.c'), '-ldl'],
        { stdio: ['ignore', 'inherit', 'inherit'] });
        await run(site.bin, 'fetch-threads', words,
            { feed, env: { LD_PRELOAD: library, LOCKS_FILE: file } });
        return readFileSync(file, 'utf8').trim().split('\n').map((line) => {
            const [what, thread, mutex, condition, from, to] = line.split(' ');
            return { what, thread: Number(thread), mutex, condition,
                from: Number(from) / 1e3, to: Number(to) / 1e3 };
        });
    } finally {
        rmSync(folder, { recursive: true });
    }
}
