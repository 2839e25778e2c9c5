// turns: one run of evloop/minimal.c, turn by turn, and one of threads/minimal.c
// with the same URLs, by the programs of slides/turn (recorder.h has the form).
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Missing } from './source.mjs';
import { origin } from './trace.mjs';

const LIMIT_MS = 30000;

// [{us, thread, what, words}], times from the first on.
export async function record(bin, model, urls) {
    const program = path.join(bin, `tests/recorded-${model}`);
    if (!existsSync(program))
        throw new Missing(`there is no ${program}: ./run build makes it`);
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-turns-'));
    const file = path.join(folder, 'record');
    try {
        const child = spawn(program, ['-j', `${urls.length}`, ...urls], {
            stdio: 'ignore', env: { ...process.env, RECORD: file } });
        const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
        const status = await new Promise((resolve, reject) => {
            child.on('error', reject);
            child.on('close', (code, signal) => resolve(code ?? signal));
        });
        clearTimeout(limit);
        if (status !== 0)
            throw new Error(`${program}: ${status}`);
        const lines = readFileSync(file, 'utf8').trim().split('\n')
            .map((line) => line.split(' '));
        const began = Number(lines[0][0]);
        return lines.map(([us, thread, what, ...words]) => ({ words, what,
            us: Number(us) - began, thread: Number(thread) }));
    } finally {
        rmSync(folder, { recursive: true });
    }
}

const descriptors = (words) => words.map((word) => {
    const [place, events] = word.split(':');
    return { place: Number(place), events };
});

// [{us, slept, waits, ready, calls: [{name, place, depth}], has}]: what is done
// between two sleeps, and what the requests remember then.
export function turnsOf(lines) {
    const fresh = () => ({ slept: 0, waits: [], ready: [], calls: [], has: [] });
    const turns = [fresh()];
    let depth = 0;
    let asleep = 0;
    for (const { us, what, words } of lines) {
        const turn = turns.at(-1);
        if (what === '+') {
            turn.calls.push({ name: words[0], place: Number(words[1]), depth });
            depth++;
        } else if (what === '-') {
            depth--;
        } else if (what === 'has') {
            const [place, want, ahead, ended, id] = words.map(Number);
            turn.has.push({ place, want, ahead, ended, id });
        } else if (what === 'sleeps') {
            turn.us = us;
            asleep = us;
            turns.push({ ...fresh(), waits: descriptors(words) });
        } else if (what === 'wakes') {
            turn.slept = us - asleep;
            turn.ready = descriptors(words);
        }
    }
    turns.at(-1).us = lines.at(-1).us;
    return turns;
}

// What each thread is in at that moment: [[function, ...], ...] by number; null:
// it has not begun, or has ended.
export function stacksAt(lines, us) {
    const stacks = [];
    for (const line of lines) {
        const stack = stacks[line.thread] ??= [];
        if (line.us > us)
            continue;
        if (line.what === '+')
            stack.push(line.words[0]);
        else
            stack.pop();
    }
    return stacks.map((s) => s.length === 0 ? null : s);
}

// When the last request had been sent, and its answer was awaited.
function asked(lines) {
    const first = new Map();
    for (const { what, words, thread, us } of lines) {
        if (what === '+' && words[0] === 'recv' && !first.has(thread))
            first.set(thread, us);
        if (what === '+' && words[0] === 'step_send')
            first.set('loop', us);
    }
    return Math.max(...first.values());
}

export async function recorded(bin, words) {
    const server = await origin(bin);
    try {
        const urls = words.map((w) => server.url + w);
        const [loop, threads] = await Promise.all([
            record(bin, 'evloop', urls), record(bin, 'threads', urls)]);
        // One may have begun later: the servers count from when they were asked.
        const late = asked(threads) - asked(loop);
        return { turns: turnsOf(loop), threads: threads.map((line) =>
            ({ ...line, us: line.us - late })) };
    } finally {
        server.stop();
    }
}
