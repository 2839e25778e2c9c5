// figures: what triptych-bench measured, for pages and slides.
//
//     figure('small', 'evloop', 'rate')
//         -> {median, least, most, rounds, unit, text, spread}
//
// The figures are those of build/bench/results.tsv when `./run bench` has been
// here with all workloads, else those of slides/data/results.tsv; with
// TRIPTYCH_FIGURES=published always those. A workload that is run with
// several numbers of jobs is named with one of them: latency@100. Failed runs
// are left out, as the benchmark leaves them out. What is not there is an
// error.
//
//     price('threads: a condition')
//         -> {median, least, most, text, spread}, of `triptych-bench switch`
//
// is of build/bench/switch.txt, or else of slides/data/switch.txt: what that
// command has printed. The same holds for it.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Missing, ROOT, read } from './source.mjs';

// Names for columns, and how their values are said.
const ALIASES = { rate: 'requests_s', memory: 'pss', calls: 'calls_a_request',
    time: 'wall_s', throughput: 'mb_s' };

const UNITS = {
    requests_s: ['requests/s', 1], mb_s: ['MB/s', 1], wall_s: ['s', 1],
    user_s: ['s', 1], system_s: ['s', 1], cpu_s: ['s', 1], ideal_s: ['s', 1],
    p50_us: ['ms', 1e-3], p90_us: ['ms', 1e-3], p99_us: ['ms', 1e-3],
    p99_9_us: ['ms', 1e-3], max_us: ['ms', 1e-3],
    pss: ['MiB', 1 / (1 << 20)], kernel_stacks: ['MiB', 1 / (1 << 20)],
    page_tables: ['MiB', 1 / (1 << 20)], socket_memory: ['MiB', 1 / (1 << 20)],
    whole: ['MiB', 1 / (1 << 20)],
    in_flight: ['', 1], core_s: ['requests/s', 1],
};

function workloadsOf(file) {
    return new Set(readFileSync(file, 'utf8').split('\n')
        .filter((line) => line !== '' && !line.startsWith('# '))
        .map((line) => line.split('\t')[0]));
}

// What was measured here, or what is published; `good` says of the former
// whether it is whole.
function fresher(name, good, root) {
    const fresh = path.join(root, 'build/bench', name);
    const published = path.join(root, 'slides/data', name);
    return process.env.TRIPTYCH_FIGURES !== 'published' &&
        existsSync(fresh) && good(fresh, published) ? fresh : published;
}

export function resultsFile(root = ROOT) {
    return fresher('results.tsv', (fresh, published) => {
        const measured = workloadsOf(fresh);
        return [...workloadsOf(published)].every((w) => measured.has(w));
    }, root);
}

const cache = new Map();

// {rows: [{workload, jobs, program, round, ...}], notes: [lines]}
export function results(root = ROOT) {
    const file = resultsFile(root);
    if (cache.has(file))
        return cache.get(file);
    if (!existsSync(file))
        throw new Missing('there is no slides/data/results.tsv');
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const notes = lines.filter((l) => l.startsWith('# ')).map((l) => l.slice(2));
    const [head, ...body] = lines.filter((l) => !l.startsWith('# '))
        .map((l) => l.split('\t'));
    const rows = body.map((cells) => Object.fromEntries(head.map((name, i) =>
        [name, ['workload', 'program'].includes(name) ? cells[i]
            : cells[i] === '-' ? null : Number(cells[i])])));
    // By Little's law, with the median where there is no mean: what was really
    // in flight. And the processor's time, of user and system; and memory with
    // what the kernel has for the program, where that was weighed; and the
    // requests for which a second of a core's time is enough.
    for (const row of rows) {
        const each = row.mean_us ?? row.p50_us;
        row.in_flight = row.requests_s === null || each === null ? null
            : row.requests_s * each * 1e-6;
        row.cpu_s ??= row.user_s + row.system_s;
        row.core_s = row.cpu_s > 0 ? row.requests / row.cpu_s : null;
        row.whole = row.pss === null ? null : row.pss +
            (row.kernel_stacks ?? 0) + (row.page_tables ?? 0) +
            (row.socket_memory ?? 0);
    }
    const all = { rows, notes,
        columns: [...new Set([...head, 'in_flight', 'cpu_s', 'core_s',
            'whole'])] };
    cache.set(file, all);
    return all;
}

function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length / 2;
    return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]
        : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Three significant digits, thousands set apart.
export function say(value) {
    if (value === 0)
        return '0';
    const power = Math.floor(Math.log10(Math.abs(value))) - 2;
    const unit = 10 ** power;
    const digits = Math.max(0, -power);
    return (Math.round(value / unit) * unit).toLocaleString('en-GB', {
        minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function rowsOf(workload, program, root) {
    const [name, jobs] = workload.split('@');
    const all = results(root).rows.filter((row) => row.workload === name);
    if (all.length === 0)
        throw new Missing(`the results have no workload ${name}`);
    const some = all.filter((row) => row.program === program);
    if (some.length === 0)
        throw new Missing(`the results of ${name} have no program ${program}`);
    const levels = new Set(some.map((row) => row.jobs));
    if (jobs === undefined && levels.size > 1)
        throw new Missing(`${name} was run with ${[...levels].join(', ')} ` +
            `jobs: say which, as in ${name}@${[...levels][0]}`);
    const rows = some.filter((row) =>
        jobs === undefined || row.jobs === Number(jobs));
    if (rows.length === 0)
        throw new Missing(`${name} was not run with ${jobs} jobs`);
    return rows;
}

function columnOf(name, root) {
    const column = ALIASES[name] ?? name;
    if (!results(root).columns.includes(column))
        throw new Missing(`the results have no column ${name}`);
    return column;
}

function good(row) {
    return row.status === 0 && row.ok >= row.requests;
}

export function figure(workload, program, name, root = ROOT) {
    const column = columnOf(name, root);
    const values = rowsOf(workload, program, root).filter(good)
        .map((row) => row[column]).filter((value) => value !== null);
    if (values.length === 0)
        throw new Missing(`${program} has no ${name} in ${workload}`);
    const [unit, factor] = UNITS[column] ?? ['', 1];
    const scaled = values.map((value) => value * factor);
    const [middle, least, most] = [median(scaled), Math.min(...scaled),
        Math.max(...scaled)];
    const tail = unit === '' ? '' : ` ${unit}`;
    return { median: middle, least, most, rounds: values.length, unit,
        text: say(middle) + tail, spread: `${say(least)}–${say(most)}${tail}` };
}

// How many times as much `program` has as `other`, round by round.
export function ratio(workload, program, other, name, root = ROOT) {
    const column = columnOf(name, root);
    const [mine, theirs] = [program, other].map((who) =>
        rowsOf(workload, who, root).filter(good));
    const values = mine.flatMap((row) => {
        const peer = theirs.find((r) => r.round === row.round);
        return peer && peer[column] > 0 && row[column] !== null
            ? [row[column] / peer[column]] : [];
    });
    if (values.length === 0)
        throw new Missing(`${workload} has no round of both ${program} and ${other}`);
    const [middle, least, most] = [median(values), Math.min(...values),
        Math.max(...values)];
    return { median: middle, least, most, rounds: values.length,
        text: say(middle), spread: `${say(least)}–${say(most)}` };
}

// --- The price of waiting --------------------------------------------------

export function priceFile(root = ROOT) {
    return fresher('switch.txt', () => true, root);
}

// {date: '2026-11-26', rows: [{way, median, least, most}] in ns}
export function prices(root = ROOT) {
    const text = readFileSync(priceFile(root), 'utf8');
    return { date: text.match(/^# triptych-bench \S+ (\S+)/m)?.[1],
        rows: [...text.matchAll(/^ {2}(\w+: .*?) +([\d.]+) +([\d.]+) +([\d.]+)$/gm)]
            .map(([, way, ...figures]) => {
                const [middle, least, most] = figures.map(Number);
                return { way, median: middle, least, most };
            }) };
}

export function price(way, root = ROOT) {
    const code = read('tests/bench/switch.c', root).text;
    const found = prices(root).rows.find((row) => row.way === way);
    if (!code.includes(`{"${way}",`))
        throw new Missing(`tests/bench/switch.c does not measure ${way}`);
    if (found === undefined)
        throw new Missing(`${path.relative(root, priceFile(root))} has no ${way}`);
    const [unit, factor] = found.median < 100 ? ['ns', 1] : ['µs', 1e-3];
    const [middle, least, most] = [found.median, found.least, found.most]
        .map((value) => (value * factor).toPrecision(2));
    return { ...found, text: `${middle} ${unit}`, spread: `${least}–${most}` };
}

// Which of the programs needs least of a measure, or has most of a rate:
// {best, more, others: [{program, differs, times}]}. Those differ that do so in
// every round, and by two decimals, as the benchmark says it.
export function compared(workload, programs, name, root = ROOT) {
    const more = ['requests_s', 'mb_s'].includes(columnOf(name, root));
    const sign = more ? -1 : 1;
    const [best, ...rest] = [...programs].sort((a, b) => sign * (
        figure(workload, a, name, root).median -
        figure(workload, b, name, root).median));
    return { best, more, others: rest.map((program) => {
        const { median: middle, least, most, rounds } =
            ratio(workload, program, best, name, root);
        return { program, times: say(middle), differs: rounds > 1 &&
            (middle < 0.995 || middle >= 1.005) && (least > 1 || most < 1) };
    }) };
}

// The same in words.
export function verdict(workload, programs, name, root = ROOT) {
    const { best, more, others } = compared(workload, programs, name, root);
    return others.some((one) => one.differs)
        ? `${best} ${more ? 'most' : 'least'}; ${others.map((one) =>
            `${one.program}${one.differs ? ` ${one.times} times`
                : ': no difference'}`).join('; ')}` : 'no difference';
}
