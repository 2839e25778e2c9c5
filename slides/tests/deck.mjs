// The lecture's deck, as whoever gives the lecture finds it.
//
//     node --test slides/tests/deck.mjs
//
// TRIPTYCH_SITE is where the site was built (build/site), TRIPTYCH_BIN where
// the programs were (build/release); both are there already.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync,
    symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PATIENCE, launch } from '../lecture/print.mjs';
import { marker } from '../lecture/markers.mjs';
import { chapters, demos } from '../lecture/slides.mjs';
import { ROOT } from '../lib/source.mjs';
import { letters, missing } from './letters.mjs';

const SITE = path.resolve(process.env.TRIPTYCH_SITE ??
    path.join(ROOT, 'build/site'));
const BIN = path.resolve(process.env.TRIPTYCH_BIN ??
    path.join(ROOT, 'build/release'));
const DECK = path.join(SITE, 'lecture/index.html');
process.env.TRIPTYCH_FIGURES = 'published'; // as in site.mjs
const ALL = chapters(path.join(ROOT, 'slides'));
const SLIDES = ALL.flatMap((chapter) => chapter.slides.map((slide) =>
    ({ ...slide, file: chapter.file })));

let browser;
const scratch = mkdtempSync(path.join(tmpdir(), 'deck-'));

// Not in a hook: when one fails, node's runner leaves out those that clean up
// after the others, and would wait for the practice server for ever.
assert.ok(existsSync(DECK), `${DECK} is not there: run "./run site" first`);

before(async () => {
    browser = await launch();
});

after(async () => {
    await browser?.close();
    rmSync(scratch, { recursive: true, force: true });
});

// A page with the deck, and what it had to complain about.
async function open({ search = '', ...options } = {}) {
    const page = await browser.newPage({ colorScheme: 'light',
        viewport: { width: 1280, height: 720 }, ...options });
    page.setDefaultTimeout(PATIENCE);
    const address = `${pathToFileURL(DECK).href}${search}`;
    const complaints = [];
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type()))
            complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
        if (request.url() !== address &&
            !request.url().startsWith('data:'))
            complaints.push(`asks for ${request.url()}`);
    });
    await page.goto(address);
    await page.waitForFunction(() => window.Reveal?.isReady());
    return { page, complaints };
}

// Calls `look` in the page for each slide, with its answers shown or hidden.
async function eachSlide(page, shown, look) {
    const count = await page.evaluate(() => Reveal.getTotalSlides());
    for (let i = 0; i < count; i++) {
        await page.evaluate(([slide, fragments]) => {
            Reveal.slide(slide, 0, fragments ? 99 : -1);
        }, [i, shown]);
        await look(i);
    }
    return count;
}

// --- What is said ----------------------------------------------------------

test('no marker is left, nor in the notes', () => {
    assert.doesNotMatch(readFileSync(DECK, 'utf8').replace(
        /<script>[^]*?<\/script>/g, ''), /\{\{\w+ /);
});

test('about 65 slides, each with notes that say what to say and how long', () => {
    // What opens a chapter holds nothing else.
    const held = SLIDES.filter(({ text }) => !/^# /m.test(text)).length;
    assert.ok(held >= 55 && held <= 72, `${held}`);
    for (const { title, slides: [first] } of ALL)
        assert.ok(/^# /m.test(first.text) || /^Appendix/.test(title),
            `${title} has a title slide`);
    for (const { file, line, note, minutes } of SLIDES) {
        assert.ok(minutes > 0 && minutes <= 5, `${file}:${line}: ${minutes} min`);
        assert.ok(note.length > 80, `${file}:${line}: notes: "${note}"`);
    }
});

test('two lectures of 75 minutes', () => {
    const second = ALL.findIndex(({ slides }) =>
        /Second lecture/.test(slides[0].text));
    const sum = (list) => list.flatMap(({ slides }) => slides)
        .reduce((all, { minutes }) => all + minutes, 0);
    const parts = [sum(ALL.slice(0, second)),
        sum(ALL.slice(second).filter(({ title }) => !/^Appendix/.test(title)))];
    for (const minutes of parts)
        assert.ok(Math.abs(minutes - 75) <= 5, `${parts} minutes`);
});

test('without the optional slides it is two lectures of 65 minutes', () => {
    const optional = SLIDES.filter((slide) => slide.optional);
    assert.equal(optional.length, 14);
    const second = ALL.findIndex(({ slides }) =>
        /Second lecture/.test(slides[0].text));
    for (const part of [ALL.slice(0, second), ALL.slice(second)
        .filter(({ title }) => !/^Appendix/.test(title))]) {
        const minutes = part.flatMap(({ slides }) => slides)
            .filter((slide) => !slide.optional)
            .reduce((all, slide) => all + slide.minutes, 0);
        assert.ok(minutes <= 65, `${minutes} minutes`);
    }
    // It is said on the slide.
    const deck = readFileSync(DECK, 'utf8');
    assert.equal(deck.match(/ · optional<\/p>/g).length, optional.length);
});

test('there are questions, and every question has an answer', () => {
    const asked = SLIDES.filter(({ text }) => /^::: ask$/m.test(text));
    assert.ok(asked.length >= 20, `${asked.length} questions`);
    for (const { file, line, text } of asked)
        assert.match(text, /^::: answer$/m, `${file}:${line}`);
});

// Of one program a part was weighed, of the other none; of sockets nothing.
test('what was not weighed is not drawn, and is not said to be 0', () => {
    const root = path.join(scratch, 'weighed');
    mkdirSync(path.join(root, 'slides/data'), { recursive: true });
    symlinkSync(path.join(ROOT, 'tests'), path.join(root, 'tests'));
    const head = ['workload', 'jobs', 'program', 'round', 'status', 'requests',
        'ok', 'pss', 'kernel_stacks', 'socket_memory'];
    const row = (...cells) => cells.join('\t');
    writeFileSync(path.join(root, 'slides/data/results.tsv'), [row(...head),
        row('c10k', 1, 'threads', 1, 0, 1, 1, 3 << 20, 2 << 20, '-'),
        row('c10k', 1, 'evloop', 1, 0, 1, 1, 1 << 20, '-', '-')].join('\n'));
    const svg = marker({ root }, '', 'weighed', 'c10k threads evloop');
    const [, label] = svg.match(/aria-label="([^"]*)"/);
    assert.equal(label, 'c10k: threads 5.00 MiB: its own 3 MiB, kernel stacks ' +
        '2 MiB; evloop 1.00 MiB; not measured: page tables, sockets');
    assert.equal(svg.match(/<rect[^>]*height="28"/g).length, 3, svg);
    assert.match(svg, />not measured in this run: page tables, sockets</);
});

test('each chapter shows code of the source or figures of the bench', () => {
    for (const { file, slides } of ALL)
        assert.ok(slides.some(({ text }) => /\{\{(code|figure|pair|best)/.test(text)),
            file);
});

// --- What is seen ----------------------------------------------------------

test('one page below 1 MB that asks for nothing else and does not complain',
    async () => {
        assert.ok(statSync(DECK).size < 1 << 20);
        const { page, complaints } = await open();
        const count = await eachSlide(page, true, () => {});
        assert.equal(count, SLIDES.length);
        assert.deepEqual(complaints, []);
        await page.close();
    });

// Runs in the page: what of the current slide does not fit its frame.
function misfits() {
    const slide = Reveal.getCurrentSlide();
    const frame = slide.getBoundingClientRect();
    const scale = frame.width / 1280;
    const wrong = [];
    const name = (e) => `${e.tagName.toLowerCase()} "${
        e.textContent.trim().slice(0, 40)}"`;
    if (slide.scrollHeight > 720 || slide.scrollWidth > 1280)
        wrong.push(`${slide.scrollWidth}x${slide.scrollHeight}`);
    if (Math.round(frame.width) !== innerWidth ||
        Math.round(frame.height) !== innerHeight)
        wrong.push(`the slide is ${frame.width}x${frame.height}`);
    const where = slide.querySelector('.where');
    const floor = where ? where.getBoundingClientRect().top : frame.bottom;
    const arrows = [...document.querySelectorAll('.navigate-left,' +
        '.navigate-right')]
        .map((e) => e.getBoundingClientRect());
    const isUnder = (box) => box.width > 0 && arrows.some((a) =>
        box.left < a.right && box.right > a.left && box.top < a.bottom &&
        box.bottom > a.top);
    for (const e of slide.querySelectorAll(':scope *:not(aside, aside *)')) {
        const box = e.getBoundingClientRect();
        if (e === where || box.width === 0)
            continue;
        if (box.bottom > floor + 1 || box.right > frame.right - 30 * scale ||
            box.left < frame.left || box.top < frame.top)
            wrong.push(`${name(e)} sticks out`);
        const edge = parseFloat(getComputedStyle(e).borderRightWidth);
        if (isUnder(box) && (edge > 0 ||
            [...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE)
                .some((n) => {
                    const text = document.createRange();
                    text.selectNodeContents(n);
                    return [...text.getClientRects()].some(isUnder);
                })))
            wrong.push(`${name(e)} lies under the arrows`);
        const svg = e.closest('svg')?.getBoundingClientRect();
        const rim = 3 * scale; // a letter's box is larger than its ink
        if (e.tagName === 'text' && (box.left < svg.left - rim ||
            box.right > svg.right + rim || box.top < svg.top - rim ||
            box.bottom > svg.bottom + rim))
            wrong.push(`${name(e)} is cut off by its picture`);
        if (e.tagName === 'PRE' && e.scrollWidth > e.clientWidth + 1)
            wrong.push(`${name(e)} is wider than its box`);
        const caption = e.tagName === 'FIGCAPTION' &&
            getComputedStyle(e).position === 'absolute' &&
            e.parentElement.querySelector('code');
        if (caption) {
            const range = document.createRange();
            range.selectNodeContents(caption);
            for (const line of range.getClientRects()) {
                if (line.top < box.bottom - 4 && line.bottom > box.top + 4 &&
                    line.right > box.left && line.width > 0)
                    wrong.push(`${name(e)} lies over the code`);
            }
        }
    }
    return wrong.map((what) => `${slide.id}: ${what}`);
}

for (const [width, height] of [[1280, 720], [1920, 1080]]) {
    test(`every slide fits its frame at ${width}x${height}`, async () => {
        const { page } = await open({ viewport: { width, height } });
        const wrong = [];
        await eachSlide(page, true, async () =>
            wrong.push(...await page.evaluate(misfits)));
        assert.deepEqual(wrong, []);
        await page.close();
    });
}

test('a printed page looks like its slide', async () => {
    const { page } = await open({ search: '?print-pdf' });
    await page.waitForSelector('.pdf-page');
    const pages = await page.evaluate(() =>
        [...document.querySelectorAll('.pdf-page')].map((sheet) => {
            const slide = sheet.querySelector('section');
            const all = [...slide.querySelectorAll(':scope > :not(aside)')];
            const frame = sheet.getBoundingClientRect();
            const box = (e) => e.getBoundingClientRect();
            const inner = all.filter((e) => e.className !== 'where');
            const where = slide.querySelector('.where');
            return { id: slide.id, width: frame.width, height: frame.height,
                left: Math.min(...inner.map((e) => box(e).left)) - frame.left,
                top: Math.min(...inner.map((e) => box(e).top)) - frame.top,
                low: Math.max(...inner.map((e) => box(e).bottom)) - frame.top,
                floor: where ? box(where).top - frame.top : frame.height,
                hidden: all.some((e) => getComputedStyle(e).opacity === '0') };
        }));
    assert.equal(pages.length, SLIDES.length);
    for (const sheet of pages) {
        const says = JSON.stringify(sheet);
        assert.ok(Math.abs(sheet.width / sheet.height - 16 / 9) < 0.01, says);
        assert.ok(sheet.left >= 55 && sheet.top >= 30, says);
        assert.ok(sheet.low <= sheet.floor + 1, says);
        assert.equal(sheet.hidden, false, says);
    }
    await page.close();
});

test('every character is in the fonts that the deck brings along', async () => {
    const { page } = await open({ search: '?print-pdf' });
    await page.waitForSelector('.pdf-page');
    const written = new Map();
    assert.deepEqual(await letters(page, written), []);
    assert.ok(written.size >= 5, [...written.keys()].join('\n'));
    assert.deepEqual(await missing(page, written), []);
    await page.close();
});

test('an answer is hidden until it is asked for', async () => {
    const { page } = await open();
    const seen = () => page.evaluate(() =>
        [...Reveal.getCurrentSlide().querySelectorAll('.answer')].map((e) =>
            Number(getComputedStyle(e).opacity) > 0 &&
            getComputedStyle(e).visibility === 'visible'));
    let answers = 0;
    await eachSlide(page, false, async (i) => {
        for (const visible of await seen()) {
            assert.equal(visible, false, `slide ${i + 1}`);
            answers++;
        }
    });
    assert.ok(answers >= 20);
    await page.evaluate(() => {
        const asked = document.querySelector('.answer').closest('section');
        Reveal.slide([...asked.parentElement.children].indexOf(asked), 0, -1);
    });
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => getComputedStyle(Reveal.getCurrentSlide()
        .querySelector('.answer')).visibility === 'visible');
    await page.close();
});

test('the keyboard alone leads from the first slide to the last', async () => {
    const { page } = await open();
    for (let i = 0; i < 400; i++) {
        if (await page.evaluate(() => Reveal.isLastSlide()))
            break;
        await page.keyboard.press('ArrowRight');
    }
    assert.ok(await page.evaluate(() => Reveal.isLastSlide()));
    const theme = () => page.evaluate(() =>
        getComputedStyle(document.body).backgroundColor);
    const light = await theme();
    await page.keyboard.press('d');
    assert.notEqual(await theme(), light, 'D changes to dark');
    await page.close();
});

test('the speaker sees the notes, in a window of their own', async () => {
    const { page } = await open();
    const popup = page.waitForEvent('popup');
    await page.keyboard.press('s');
    const speaker = await popup;
    await speaker.waitForFunction(() =>
        /Before the lecture/.test(document.body.innerText));
    await speaker.close();
    await page.close();
});

const AXE = readFileSync(createRequire(import.meta.url)
    .resolve('axe-core/axe.min.js'), 'utf8');

for (const colorScheme of ['light', 'dark']) {
    test(`axe-core finds no violation on any slide, ${colorScheme}`, async () => {
        const wrong = new Set();
        // As it is shown; and as it is printed, where all slides are to be
        // seen at once, with their answers.
        for (const search of ['', '?print-pdf']) {
            const { page } = await open({ colorScheme, search });
            await page.evaluate(AXE);
            const found = await page.evaluate(async () => {
                const { violations } = await axe.run(document,
                    { resultTypes: ['violations'] });
                return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
                    `${id}: ${node.target}: ${
                        node.failureSummary.split('\n')[1]?.trim()}`));
            });
            found.forEach((what) => wrong.add(what));
            await page.close();
        }
        assert.deepEqual([...wrong], []);
    });
}

test('the PDF has a page for each slide, of its shape', () => {
    const pdf = readFileSync(path.join(SITE, 'lecture.pdf'), 'latin1');
    assert.equal([...pdf.matchAll(/\/Type\s*\/Page\b(?!s)/g)].length,
        SLIDES.length);
    const boxes = [...pdf.matchAll(/\/MediaBox\s*\[([^\]]*)\]/g)]
        .map(([, numbers]) => numbers.trim().split(/\s+/).map(Number));
    assert.ok(boxes.length > 0);
    for (const [, , width, height] of boxes)
        assert.ok(Math.abs(width / height - 16 / 9) < 0.01, `${width}x${height}`);
    const fonts = [...pdf.matchAll(/\/BaseFont\s*\/(\S+)/g)].map(([, f]) => f);
    assert.ok(fonts.length > 0);
    for (const font of fonts)
        assert.match(font, /^(?:[A-Z]{6}\+)?IBMPlex(Sans|Mono)/);
});

// --- ./run lecture ---------------------------------------------------------

const LECTURE = path.join(ROOT, 'slides/lecture/lecture');
const SHOWN_WITH = ['curl', 'strace', 'ss', 'seq', 'gnuplot', 'python3', 'wrk'];

const freePort = () => new Promise((done) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close(() => done(String(port)));
    });
});

test('beforehand it is said what is missing, or that all is set', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-lecture-'));
    const said = (...args) => spawnSync(LECTURE, ['--check', ...args],
        { encoding: 'utf8', env: { PATH: folder, TRIPTYCH_PORT: port } });
    const port = await freePort();
    try {
        for (const tool of ['sh', 'bash', 'readlink', 'dirname'])
            symlinkSync(execFileSync('sh', ['-c', `command -v ${tool}`],
                { encoding: 'utf8' }).trim(), path.join(folder, tool));
        for (const tool of SHOWN_WITH)
            writeFileSync(path.join(folder, tool), '', { mode: 0o755 });
        const all = said(BIN, SITE);
        assert.match(all.stderr, /^All set: /);
        assert.equal(all.status, 0);
        rmSync(path.join(folder, 'strace'));
        const server = net.createServer().listen(Number(port), '127.0.0.1');
        await new Promise((done) => server.once('listening', done));
        const some = said(folder, SITE);
        server.close();
        assert.equal(some.status, 1);
        for (const what of [/^missing: strace/m, /^missing: the port/m,
            /^missing: .*fetch-evloop \(.\/run build makes it/m])
            assert.match(some.stderr, what);
        assert.doesNotMatch(some.stderr, /All set|missing: curl/);
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test('its shell runs the live commands, and ends the server', async () => {
    const port = await freePort();
    const done = spawnSync(LECTURE, [BIN, SITE], { encoding: 'utf8',
        input: 'until echo >/dev/tcp/127.0.0.1/$TRIPTYCH_PORT; do\n' +
            'sleep .05; done 2>/dev/null\nshow 1\nexit\n',
        timeout: PATIENCE, env: { ...process.env, TRIPTYCH_PORT: port,
            DISPLAY: '', WAYLAND_DISPLAY: '' } });
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /^ +1 {2}One at a time, or twenty$/m);
    assert.equal(done.stdout.match(/^ +\d+ {2}/gm).length,
        ALL.flatMap(demos).length);
    const titles = done.stdout.match(/^ +\d+ {2}.*$/gm).map((line) =>
        line.replace(/^ +\d+ +/, ''));
    assert.equal(new Set(titles).size, titles.length, titles.join('\n'));
    assert.match(done.stderr, /20 ok[^]*20 ok/);
    await assert.rejects(new Promise((resolve, reject) => {
        net.connect(Number(port), '127.0.0.1').on('connect', resolve)
            .on('error', reject);
    }), /ECONNREFUSED/);
});

// --- What is shown live ----------------------------------------------------

let origin;

// The practice server, on a port of its own: {port, end}.
function startOrigin() {
    const child = spawn(path.join(BIN, 'tests/triptych-origin'),
        ['--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    return new Promise((resolve, reject) => {
        child.on('error', reject);
        child.stdout.once('data', (text) => {
            const [, port] = String(text).match(/:(\d+)\//);
            resolve({ port, end: () => child.kill() });
        });
    });
}

// Runs commands as they stand on the slide, but with the server's port, this
// build's programs and a folder of its own for /tmp. Slower by `times`.
function run(commands, port, times) {
    const text = commands
        .replace(/^.*triptych-origin.*\n/m, '')
        .replaceAll(':8080', `:${port}`)
        .replaceAll('/tmp/', `${scratch}/`)
        // This may itself be below /tmp, and may have a space in it.
        .replaceAll('build/release', BIN.replace(/[^\w./-]/g, '\\$&'))
        .replace(/\b(sleep )(\d+)/g, (_, word, n) => word + n * times)
        .replace(/\b(delay=)(\d{4})/g, (_, word, n) => word + n * times);
    return new Promise((resolve) => {
        execFile('bash', ['-c', text], { cwd: ROOT, timeout: 120e3 },
            (error, stdout, stderr) => resolve({ text,
                said: `${stdout}\n${stderr}` }));
    });
}

before(async () => {
    origin = await startOrigin();
});

after(() => origin?.end());

for (const demo of ALL.flatMap(demos)) {
    const first = demo.commands.trim().split('\n')[0];
    if (demo.look) {
        test(`live: ${first}: there is such a command`, () => {
            const [, command] = first.match(/^\.\/run ([a-z]+)/) ?? [];
            assert.ok(command, `${demo.file}: ${first}`);
            assert.match(readFileSync(path.join(ROOT, 'run'), 'utf8'),
                new RegExp(`^${command}(\\)| \\|)`, 'm'));
        });
        continue;
    }
    test(`live: ${first}: shows what the slide says`, async () => {
        assert.ok(demo.expect, `${demo.file}:${demo.line}: nothing expected`);
        const expected = new RegExp(demo.expect);
        let last;
        // A busy machine may miss the moment: again, with more time.
        for (const times of [1, 3, 8]) {
            last = await run(demo.commands, origin.port, times);
            if (expected.test(last.said))
                return;
        }
        assert.fail(`${demo.file}:${demo.line}: /${demo.expect}/ is not in:\n${
            last.text}\n${last.said}`);
    });
}
