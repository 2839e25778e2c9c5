// check: what a Markdown text says about the project must be so.
//
//     const problems = [];
//     const text = expand(markdown, 'slides/steps/01-start.md', problems);
//     check(text, 'slides/steps/01-start.md', problems);
//     -> problems: ['FILE:LINE: what is wrong', ...]
//
// expand replaces markers; what they name is looked up, never typed:
//
//     {{code threads/queue.c queue_take}}    the function, as a code block
//     {{full threads/queue.c queue_take}}    ... with the comment above it
//     {{figure small evloop rate}}           a median, with its unit
//     {{spread small evloop rate}}           least to most
//     {{ratio small processes evloop memory}}   times as much, by rounds
//     {{constant common/blocking.h BLOCKING_CHUNK}}  its value, in words
//     {{workload tail slow_ms}}              what an entry of the bench says;
//                                            delay is that of its URLs
//
// check looks at what stands in backticks and in blocks of commands:
//
//     a path                must be in the tree (build/...: or be made by run)
//     ./run WORD            must be a command of run
//     a program of ours     must be a target, and each --option in its help
//     another program       must be in slides/lib/elsewhere.txt
//     anything else         each name in it must be in the source, or be one
//                           of slides/lib/elsewhere.txt: names of others
//
// and at links to files of the tree, and for figures typed by hand.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { figure, ratio } from './figures.mjs';
import { Missing, ROOT, definition } from './source.mjs';

// --- Markers ---------------------------------------------------------------

const sizes = [[1 << 30, 'GiB'], [1 << 20, 'MiB'], [1 << 10, 'KiB']];

// "((size_t)64 * 1024)" -> "64 KiB"
export function constant(file, name, root = ROOT) {
    const item = definition(file, name, root);
    const value = item.code.replace(/\\\n/g, ' ')
        .replace(new RegExp(`^#\\s*define\\s+${name}\\s*`), '')
        .replace(/\/\*.*?\*\//g, '')
        .replace(/\(\s*(size_t|int64_t|uint64_t|int)\s*\)/g, '')
        .replace(/U?INT64_C/g, '').replace(/\b(\d+)[uUlL]+\b/g, '$1').trim();
    if (item.kind !== 'macro' || !/^[\d\s*+()-]+$/.test(value))
        throw new Missing(`${name} of ${file} is no plain number`);
    const number = Function(`return ${value}`)();
    const [size, unit] = /_US$|SECOND/.test(name) ? [1, '']
        : sizes.find(([s]) => number >= s && number % s === 0) ?? [1, ''];
    return `${(number / size).toLocaleString('en-GB')}${unit && ' '}${unit}`;
}

// A number of an entry of the bench's table; of several, the first.
export function workload(name, field, root = ROOT) {
    const file = 'tests/bench/workload.c';
    const { code } = definition(file, 'workloads', root);
    const entry = code.split(/^ *\{\.name = /m).find((e) =>
        e.startsWith(`"${name}"`)) ?? '';
    const value = entry.match(field === 'delay' ? /delay=(\d+)/
        : new RegExp(`\\.${field} = \\{?(\\d+)`));
    if (value === null)
        throw new Missing(`${file} says no ${field} of ${name}`);
    return Number(value[1]).toLocaleString('en-GB');
}

const MARKERS = {
    code: ([file, name], root) =>
        `\`\`\`c source=${file} name=${name}\n${definition(file, name, root).code}\n\`\`\``,
    full: ([file, name], root) =>
        `\`\`\`c source=${file} name=${name}\n${definition(file, name, root).full}\n\`\`\``,
    figure: ([w, p, c], root) => figure(w, p, c, root).text,
    spread: ([w, p, c], root) => figure(w, p, c, root).spread,
    ratio: ([w, a, b, c], root) => ratio(w, a, b, c, root).text,
    constant: ([file, name], root) => constant(file, name, root),
    workload: ([name, field], root) => workload(name, field, root),
};

function lineOf(text, index) {
    return text.slice(0, index).split('\n').length;
}

export function expand(text, file, problems, root = ROOT) {
    return text.replace(/\{\{(\w+)\s+([^}]*)\}\}/g, (all, name, words, index) => {
        const say = (what) =>
            problems.push(`${file}:${lineOf(text, index)}: ${what}`);
        if (!(name in MARKERS)) {
            say(`there is no marker ${name}`);
            return all;
        }
        try {
            return MARKERS[name](words.trim().split(/\s+/), root);
        } catch (error) {
            if (!(error instanceof Missing))
                throw error;
            say(error.message);
            return all;
        }
    });
}

// --- What there is ---------------------------------------------------------

const SOURCE_OF_NAMES = /\.(c|h|py|mjs|toml|bash|txt|cmake|in|1\.in|cnf)$|^(run|README\.md|CMakeLists\.txt|CMakePresets\.json)$/;
const NOT_LOOKED_AT = new Set(['.git', 'build', 'node_modules', 'corpus',
    'mistakes', 'solutions', 'slides']);

function walk(folder, found = []) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const at = path.join(folder, entry.name);
        if (entry.isDirectory() && !NOT_LOOKED_AT.has(entry.name))
            walk(at, found);
        else if (entry.isFile() && SOURCE_OF_NAMES.test(entry.name))
            found.push(at);
    }
    return found;
}

const trees = new Map();

// What names the tree has: {words, programs, commands, run, help(program)}.
function tree(root) {
    if (trees.has(root))
        return trees.get(root);
    const words = new Set();
    const add = (text) => {
        for (const [word] of text.matchAll(/[A-Za-z_]\w*/g))
            words.add(word);
    };
    for (const file of walk(root)) {
        add(readFileSync(file, 'utf8'));
        add(path.basename(file));
    }
    const programs = new Set();
    const elsewhere = path.join(root, 'slides/lib/elsewhere.txt');
    if (existsSync(elsewhere)) {
        const [others, commands] = readFileSync(elsewhere, 'utf8')
            .split(/^# Programs.*$/m);
        add(others.replace(/^#.*$/gm, ''));
        for (const name of commands.trim().split(/\s+/))
            programs.add(name);
    }
    const runFile = path.join(root, 'run');
    const run = existsSync(runFile) ? readFileSync(runFile, 'utf8') : '';
    const commands = new Set([...run.matchAll(/^([a-z |-]+)\)/gm)]
        .flatMap(([, names]) => names.split('|').map((n) => n.trim())));
    const info = { words, programs, commands, run, helps: new Map() };
    trees.set(root, info);
    return info;
}

// Where ours are built. TRIPTYCH_BIN is the tests' build.
function program(name, root) {
    const bins = [process.env.TRIPTYCH_BIN, 'build/release', 'build/dev']
        .filter(Boolean).flatMap((b) => [b, `${b}/tests`]);
    return [...bins.map((b) => path.resolve(root, b, name)),
        path.join(root, 'tests/lab', name)].find((p) =>
        existsSync(p) && statSync(p).isFile());
}

function helpOf(name, root) {
    const { helps } = tree(root);
    if (!helps.has(name)) {
        const at = program(name, root);
        // One without --help says on standard error what it takes.
        const said = at && spawnSync(at, ['--help'], { encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'pipe'], timeout: 60000 });
        helps.set(name, said ? said.stdout + said.stderr : null);
    }
    return helps.get(name);
}

const OURS = /^(?:build\/\w+\/(?:tests\/)?|\.\/|tests\/lab\/)?(fetch-(?:threads|processes|evloop|coroutines)|triptych-[a-z]+|digest-(?:threads|processes|evloop|coroutines))$/;
const SHELL = new Set(`cd export for while if do done then fi wait kill ulimit
time true false set read echo exit fg bg jobs umask trap alias .
source`.split(/\s+/));

// What is installed here does not matter: elsewhere.txt has the programs.
function isCommand(name, root) {
    return SHELL.has(name) || tree(root).programs.has(name);
}

// --- Code spans ------------------------------------------------------------

function pathProblem(text, root) {
    const clean = text.replace(/[#:]\d+$/, '').replace(/\/$/, '');
    if (/^\/(proc|dev|tmp|etc|sys|usr|var|autograder)\b/.test(text))
        return undefined;
    if (/^~?\//.test(text)) // as in a URL: what the practice server knows
        return tree(root).words.has(text.split(/[/?]/)[1]) ||
            text.startsWith('~') ? undefined : `there is no ${text}`;
    if (/[*?]/.test(clean)) {
        const folder = path.join(root, path.dirname(clean));
        const like = new RegExp(`^${path.basename(clean)
            .replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
            .replaceAll('?', '.')}$`);
        return path.dirname(clean).includes('*') || (existsSync(folder) &&
            readdirSync(folder).some((n) => like.test(n)))
            ? undefined : `there is nothing like ${text}`;
    }
    if (existsSync(path.join(root, clean)))
        return undefined;
    const { run } = tree(root);
    const presets = path.join(root, 'CMakePresets.json');
    const preset = clean.match(/^build\/(\w+)$/)?.[1];
    if (preset && existsSync(presets) &&
        readFileSync(presets, 'utf8').includes(`"name": "${preset}"`))
        return undefined;
    if (clean.startsWith('build/') && (run.includes(clean) ||
        program(path.basename(clean), root) !== undefined ||
        /^build\/(bench|drain|site|labs?|race)(\/|$)/.test(clean)))
        return undefined;
    return `there is no file ${text}`;
}

// One simple command: its first word, and the options if it is ours.
function commandProblem(line, root) {
    const words = line.trim().replace(/^(\$|#) /, '')
        .replace(/^(?:[A-Z_]+=\S+ +)+/, '').split(/\s+/);
    const [first, second] = words;
    if (first === './run') {
        return second === undefined || /^[A-Z]+$/.test(second) ||
            tree(root).commands.has(second.replace(/[.,;]$/, ''))
            ? undefined : `run has no command ${second}`;
    }
    const ours = first.match(OURS);
    if (ours === null)
        return undefined;
    const help = helpOf(ours[1], root);
    if (help === null)
        return `there is no program ${ours[1]}`;
    const end = words.findIndex((w) => /^[|;&<>]/.test(w));
    return words.slice(1, end === -1 ? undefined : end)
        .filter((w) => /^--?[a-zA-Z]/.test(w))
        .map((w) => w.replace(/[=,.].*$/, ''))
        .filter((w) => w.startsWith('--')
            ? !new RegExp(`${w}(?![\\w-])`).test(help)
            : !new RegExp(`(^|[\\s,])-${w[1]}(?![\\w-])`, 'm').test(help))
        .map((w) => `${ours[1]} has no option ${w}`)[0];
}

const ALL_OURS = ['fetch-threads', 'fetch-processes', 'fetch-evloop', 'fetch-coroutines',
    'triptych-origin', 'triptych-bench', 'triptych-lab', 'triptych-race',
    'triptych-drain'];

function namesProblem(text, root) {
    const { words } = tree(root);
    const bare = text.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""');
    for (const [word] of bare.matchAll(/[A-Za-z_]\w*/g)) {
        if (word.length > 1 && !words.has(word))
            return `the source has no ${word}`;
    }
    return undefined;
}

// What is wrong with what stands between two backticks; undefined: nothing.
export function spanProblem(text, root = ROOT) {
    if (/^\w+:\/\//.test(text) || text.startsWith('{{'))
        return undefined; // an example of a URL
    const first = text.split(/\s/)[0];
    if (first === './run' || OURS.test(first))
        return commandProblem(text, root);
    if (/^--?[A-Za-z][\w-]*(?:[ =].*)?$/.test(text)) {
        const option = text.replace(/[ =].*/, '');
        const known = ALL_OURS.some((name) => {
            const help = program(name, root) === undefined ? null
                : helpOf(name, root);
            return help !== null && new RegExp(
                `(^|[\\s,])${option}(?![\\w-])`, 'm').test(help);
        });
        return known || namesProblem(text.replace(/^-+/, ''), root) === undefined
            ? undefined : `no program has the option ${option}`;
    }
    if (/^[~.\w*?-]*\/[\w./*?=&-]*$/.test(text) && !/^\d+\/\d+$/.test(text) &&
        !/\/[A-Z]+\b/.test(text.replace(/README|LICENSE|CMake\w+/, '')))
        return pathProblem(text, root);
    if (/^[\w-]+( |$)/.test(text) && /^[a-z][\w-]*$/.test(first) &&
        isCommand(first, root) && !tree(root).words.has(text))
        return undefined;
    if (/^[\w.-]+\.(c|h|md|py|svg|tsv|toml|html|mjs)$/.test(text)) {
        const here = [...['', 'common', 'threads', 'processes', 'evloop',
            'evloop/disks', 'evloop/kinds', 'evloop/coroutines', 'puzzles']
            .map((f) => path.join(root, f, text))];
        return here.some((p) => existsSync(p)) ? undefined
            : namesProblem(text, root) && `there is no file ${text}`;
    }
    return namesProblem(text, root);
}

// --- Whole texts -----------------------------------------------------------

const TYPED_FIGURE = /\b\d[\d.,]*\s*(?:requests\/s|requests a second|req\/s|times (?:as|faster|slower|less|more))\b/;

// `file` is where the text is, below the root: links are relative to it.
export function check(text, file, problems, root = ROOT, original = text) {
    const say = (line, what) => problems.push(`${file}:${line}: ${what}`);
    let fence = null;
    text.split('\n').forEach((line, i) => {
        const mark = line.match(/^\s*(```+|~~~+)\s*(\S*)/);
        if (mark && (fence === null || line.trim() === fence.mark)) {
            fence = fence === null ? { mark: mark[1], language: mark[2] } : null;
            return;
        }
        const isBlock = fence !== null || /^ {4,}\S/.test(line);
        if (isBlock) {
            const command = line.trim().replace(/^\$ /, '').split(/\s/)[0];
            if (command === './run' || OURS.test(command)) {
                const problem = commandProblem(line.trim(), root);
                if (problem)
                    say(i + 1, problem);
            }
            return;
        }
        for (const [, , span] of line.matchAll(/(`+)(.+?)\1(?!`)/g)) {
            const problem = spanProblem(span.trim(), root);
            if (problem)
                say(i + 1, problem);
        }
        for (const [, target] of line.replace(/`[^`]*`/g, '')
            .matchAll(/\]\(([^)\s]+)[^)]*\)/g)) {
            if (/^(https?:|mailto:|#|site:)/.test(target))
                continue;
            const to = path.join(root, path.dirname(file),
                target.replace(/#.*/, ''));
            if (!existsSync(to))
                say(i + 1, `the link to ${target} leads nowhere`);
        }
    });
    original.split('\n').forEach((line, i) => {
        const typed = line.replace(/`[^`]*`/g, '').match(TYPED_FIGURE);
        if (typed)
            say(i + 1, `a figure is typed: "${typed[0]}"; use {{figure ...}}`);
    });
    return problems;
}

// Both, for one text. Line numbers of what is checked are the text's own where
// no {{code}} stands before them.
export function checked(text, file, problems, root = ROOT) {
    const lean = text.replace(/\{\{(code|full)\s+[^}]*\}\}/g, '');
    check(expand(lean, file, [], root), file, problems, root, text);
    return expand(text, file, problems, root);
}

// What is wrong with a command line; undefined: nothing.
export function commandProblemOf(line, root = ROOT) {
    return commandProblem(line, root);
}
