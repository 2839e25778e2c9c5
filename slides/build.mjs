// build: makes the site. Usage:
//
//     node slides/build.mjs [--out build/site] [--bin build/release] [--course]
//
// With --course it is a site for a course's own web: bodies that the labs ask
// for are folded to a comment, and the mistakes' code is left out.
//
// What stands on the pages comes from the tree (source.mjs), from results.tsv
// (figures.mjs) and from runs of the programs in --bin. Each module of pages/
// makes one kind of page:
//
//     export const section = {title, href, folder, order}   in the navigation;
//         `also` are pages of it that are in no folder
//     export function wanted(site)                          may be left out
//     export async function make(site)
//     export const slow                     made last, if all else is right
//
// Whatever they say that is not so - a name, a command, a path, a link - is
// reported, and then there is no new site: exit status 1.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync,
    rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { fontFaces, licences } from './lib/fonts.mjs';
import { checkLinks } from './lib/links.mjs';
import { template } from './lib/page.mjs';
import { Missing, ROOT, allFiles, readForCourse } from './lib/source.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));

function newSite(root, out, bin, course) {
    return {
        root, out, bin, course,
        tools: HERE, // where the libraries are, and what is copied
        problems: [],
        sections: [],
        pages: new Map(), // path -> title
        sources: new Map(), // a file of the tree -> its page
        up: (page) => '../'.repeat(page.split('/').length - 1),
        say: (text) => console.log(text),

        file(name, text) {
            const to = path.join(out, name);
            mkdirSync(path.dirname(to), { recursive: true });
            writeFileSync(to, text);
        },
        page(options) {
            this.pages.set(options.page, options.title);
            this.file(options.page, template(this, options));
        },
        copy(from, to) {
            mkdirSync(path.dirname(path.join(out, to)), { recursive: true });
            cpSync(from, path.join(out, to), { recursive: true });
        },
        // The page about a file of the tree, if there is one.
        pageOf(file, hash) {
            const known = this.sources.get(file) ??
                (allFiles(root).includes(file) ? `source/${file}.html`
                    : undefined);
            return known && (hash ? `${known}#${hash}` : known);
        },
    };
}

async function makers() {
    const folder = path.join(HERE, 'pages');
    const found = [];
    for (const name of readdirSync(folder).sort()) {
        if (name.endsWith('.mjs'))
            found.push(await import(pathToFileURL(path.join(folder, name))));
    }
    return found.sort((a, b) =>
        (a.section?.order ?? 99) - (b.section?.order ?? 99));
}

export async function build({ root = ROOT, out, bin, course = false }) {
    if (course)
        readForCourse(root);
    const fresh = `${out}.new`;
    const site = newSite(root, fresh, bin, course);
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    const all = (await makers()).filter((m) => m.wanted?.(site) ?? true);
    site.sections = all.filter((m) => m.section).map((m) => m.section);
    for (const maker of all)
        maker.announce?.(site);
    for (const part of ['style', 'script'])
        site.copy(path.join(HERE, part), part);
    site.file('style/fonts.css', fontFaces());
    for (const { name, file } of licences())
        site.copy(file, `style/${name}-licence.txt`);
    for (const maker of [...all.filter((m) => !m.slow),
        ...all.filter((m) => m.slow)]) {
        if (maker.slow && site.problems.length > 0)
            continue;
        try {
            await maker.make(site);
        } catch (error) {
            if (!(error instanceof Missing))
                throw error;
            site.problems.push(error.message);
        }
    }
    if (site.problems.length === 0)
        checkLinks(fresh, site.problems);
    if (site.problems.length === 0) {
        rmSync(out, { recursive: true, force: true });
        renameSync(fresh, out);
    } else {
        rmSync(fresh, { recursive: true, force: true });
    }
    return site;
}

function readArguments() {
    try {
        return parseArgs({ options: {
            out: { type: 'string', default: path.join(ROOT, 'build/site') },
            bin: { type: 'string', default: path.join(ROOT, 'build/release') },
            course: { type: 'boolean', default: false },
        } });
    } catch (error) {
        console.error(`site: ${error.message.replace(/\. .*/s, '')}`);
        console.error('It takes --course, --out DIR and --bin DIR.');
        process.exit(2);
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const { values } = readArguments();
    process.env.TRIPTYCH_BIN ??= path.resolve(values.bin);
    const began = Date.now();
    const site = await build({ out: path.resolve(values.out),
        bin: path.resolve(values.bin), course: values.course });
    for (const problem of site.problems)
        console.error(problem);
    if (site.problems.length > 0) {
        console.error(`site: ${site.problems.length} wrong; not built`);
        process.exit(1);
    }
    console.log(`${site.pages.size} pages in ${
        ((Date.now() - began) / 1000).toFixed(1)} s: ${
        path.relative(process.cwd(), path.resolve(values.out))}/index.html`);
}
