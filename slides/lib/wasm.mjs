// wasm: C of the source for a page, as WebAssembly: by clang with lld, wasi-libc
// and the compiler's runtime for it (Debian's lld, wasi-libc,
// libclang-rt-14-dev-wasm32).
//
//     compiled(root, ['slides/parser/parser.c', 'common/http.c', ...],
//         ['common'])
//         -> {bytes} or {missing: 'why it cannot be had'}
//
// Headers are looked for in the folders, before those of the system.
//
// An error of the C itself is thrown.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Missing } from './source.mjs';

const TARGET = ['--target=wasm32-wasi', '--sysroot=/usr',
    '-mexec-model=reactor', '-std=c17', '-D_GNU_SOURCE', '-Os'];

function clang(...args) {
    for (const name of ['clang', 'clang-14']) {
        const result = spawnSync(name, args, { encoding: 'utf8' });
        if (result.error?.code !== 'ENOENT')
            return result;
    }
    return { status: 127, stderr: 'there is no clang' };
}

const caches = new Map();

export function compiled(root, sources, folders) {
    const key = [root, ...sources].join(' ');
    if (caches.has(key))
        return caches.get(key);
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-wasm-'));
    const out = path.join(folder, 'out.wasm');
    let found;
    try {
        const probe = path.join(folder, 'probe.c');
        writeFileSync(probe, '#include <stdlib.h>\n' +
            'void *__attribute__((export_name("f"))) f(unsigned n)\n' +
            '{ return malloc(n * 3); }\n');
        const tried = clang(...TARGET, '-o', out, probe);
        if (tried.status === 0) {
            const { status, stderr } = clang(...TARGET, '-flto', '-Wall',
                '-Wextra', '-Werror', '-DTRIPTYCH_VERSION="page"',
                '-Wl,--strip-all', ...folders.map((f) =>
                    `-I${path.join(root, f)}`), '-o', out,
                ...sources.map((f) => path.join(root, f)));
            if (status !== 0)
                throw new Missing(`${sources[0]} does not compile: ${stderr}`);
            found = { bytes: readFileSync(out) };
        } else {
            found = { missing: tried.stderr.trim().split('\n')[0] };
        }
    } finally {
        rmSync(folder, { recursive: true });
    }
    caches.set(key, found);
    return found;
}
