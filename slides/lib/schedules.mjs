// schedules: the scenes of slides/scheduler, each with the right code and with
// a mistake in it, explored: all states and steps (tests/lab/explorer, --export).
//
//     schedulesOf(root, bin)
//         -> {graphs: {scene: {right: graph, 1: graph}}, code: {...}} or {missing}
//
// A version is the source with functions of tests/lab/mistakes in it; it is
// compiled here, so what the page shows is what was run. The explorer itself
// is the build's (target triptych_explore).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync,
    writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { c } from './highlight.mjs';
import { mistakes } from './mistakes.mjs';
import { Missing, definition, read } from './source.mjs';

const SCENES = 'slides/scheduler/scenes.txt';
const EXPLORER = 'tests/lab/explorer';
const FLAGS = ['-g', '-O0', '-std=c17', '-D_GNU_SOURCE', '-fsanitize=thread',
    '-fno-builtin', '-fno-omit-frame-pointer', '-Wall', '-Wextra', '-Werror'];

// [{name, file, title, says, mistakes: [1, ...]}] of scenes.txt.
export function scenes(root) {
    const text = readFileSync(path.join(root, SCENES), 'utf8')
        .replace(/^#.*\n/gm, '');
    return text.trim().split(/\n\n+/).map((block) => {
        const found = block.match(
            /^(queue|pool) ([\w-]+): (.*)\nmistakes: ([\d ]*)\n([^]*)$/);
        if (found === null)
            throw new Missing(`${SCENES}: not understood: ${block}`);
        const [, file, name, title, numbers, says] = found;
        return { file, name, title, says: says.replace(/\s+/g, ' ').trim(),
            mistakes: numbers.trim().split(/\s+/).filter(Boolean).map(Number) };
    });
}

function run(command, ...args) {
    const result = spawnSync(command, args, { encoding: 'utf8',
        maxBuffer: 1 << 26 });
    if (result.error || result.status !== 0)
        throw new Missing(`${command} ${args.slice(-3).join(' ')}: ${
            result.error ?? result.stderr}`);
    return result.stdout;
}

const compile = (root, folder, from, to) => run('cc', ...FLAGS,
    ...[`${EXPLORER}/include`, 'threads', 'common'].map((f) =>
        `-I${path.join(root, f)}`), '-c', from, '-o', path.join(folder, to));

// The source with a mistake's functions in place of the right ones.
function wrong(root, mistake) {
    let { text } = read(mistake.file, root);
    for (const name of mistake.functions) {
        const { code } = definition(mistake.file, name, root);
        text = text.replace(code, () =>
            definition(mistake.from, name, root).code);
    }
    return text;
}

// What the page shows of a file: {function: {first, lines: [html]}}.
function shown(file, root) {
    return Object.fromEntries(read(file, root).items
        .filter((item) => item.kind === 'function')
        .map((item) => [item.name, { file: path.basename(file),
            first: item.first, lines: c(definition(file, item.name, root).code).split('\n') }]));
}

// Only what threads come by; nor how a scene makes its threads and ends them.
function used(code, graph) {
    const names = new Set(graph.places.map((p) => p.split(' ')[1]));
    ['start', 'join', 'begin'].forEach((name) => names.delete(name));
    return Object.fromEntries(Object.entries(code)
        .filter(([name]) => names.has(name)));
}

function explored(root, folder, library) {
    const all = mistakes(root);
    const graphs = {};
    const code = { right: {} };
    const link = (name, ...objects) => run('cc', '-pthread', '-o',
        path.join(folder, name), ...objects.map((o) => path.join(folder, o)),
        library, `@${path.join(root, EXPLORER, 'wraps')}`);
    for (const file of ['clock', 'queue', 'pool'])
        compile(root, folder, path.join(root, file === 'clock' ? 'common'
            : 'threads', `${file}.c`), `${file}.o`);
    // In the order in which they are shown.
    for (const file of ['pool', 'queue'])
        Object.assign(code.right, shown(`threads/${file}.c`, root));
    for (const file of new Set(scenes(root).map((s) => s.file))) {
        const scene = `slides/scheduler/${file}_scenes.c`;
        compile(root, folder, path.join(root, scene), `${file}_scenes.o`);
        link(file, `${file}_scenes.o`, 'queue.o', 'pool.o', 'clock.o');
        Object.assign(code.right, shown(scene, root));
    }
    for (const scene of scenes(root)) {
        const kept = graphs[scene.name] = {};
        const explore = (program) => JSON.parse(run(path.join(folder, program),
            '--export', '-', scene.name));
        kept.right = explore(scene.file);
        for (const number of scene.mistakes) {
            const mistake = all.find((m) => m.number === number);
            if (mistake === undefined)
                throw new Missing(`${SCENES}: there is no mistake ${number}`);
            const other = path.basename(mistake.file, '.c');
            const text = path.join(folder, String(number), mistake.file);
            mkdirSync(path.dirname(text), { recursive: true });
            writeFileSync(text, wrong(root, mistake));
            compile(root, folder, text, `${number}.o`);
            link(`${number}.program`, `${scene.file}_scenes.o`, `${number}.o`,
                other === 'queue' ? 'pool.o' : 'queue.o', 'clock.o');
            kept[number] = explore(`${number}.program`);
            code[number] = shown(mistake.file, path.join(folder,
                String(number)));
        }
    }
    const names = Object.values(graphs).flatMap((g) => Object.values(g));
    const places = { places: names.flatMap((g) => g.places) };
    for (const version of Object.keys(code))
        code[version] = used(code[version], places);
    return { graphs, code };
}

const libraryOf = (bin) => path.join(bin, EXPLORER, 'libtriptych_explore.a');

export const canExplore = (bin) => existsSync(libraryOf(bin));

const caches = new Map();

export function schedulesOf(root, bin) {
    const key = `${root} ${bin}`;
    if (!canExplore(bin))
        return { missing: 'the explorer is not built (target triptych_explore)' };
    if (!caches.has(key)) {
        const folder = mkdtempSync(path.join(tmpdir(), 'triptych-scenes-'));
        try {
            caches.set(key, explored(root, folder, libraryOf(bin)));
        } finally {
            rmSync(folder, { recursive: true });
        }
    }
    return caches.get(key);
}
