// Tests of the site: it is made from the runs of TRIPTYCH_BIN, then opened in
// a browser from the file system. What is broken on purpose must be noticed.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync,
    rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { check, expand, spanProblem } from '../lib/check.mjs';
import { FOLDED, asked, fold } from '../lib/course.mjs';
import { resultsFile } from '../lib/figures.mjs';
import { checkLinks } from '../lib/links.mjs';
import { simulatorOf } from '../pages/backpressure.mjs';
import { examples, parserOf } from '../pages/parser.mjs';
import { printed as demonstrated, size } from '../pages/stackless.mjs';
import { diff, mistakes } from '../lib/mistakes.mjs';
import '../script/parser_core.js';
import '../script/scheduler_core.js';
import { panels, printed } from '../pages/start.mjs';
import { besideAt } from '../pages/turn.mjs';
import { letters, missing } from './letters.mjs';
import { definition, has, read, tokens, allFiles } from '../lib/source.mjs';

const SLIDES = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const ROOT = path.dirname(SLIDES);
const BIN = path.resolve(process.env.TRIPTYCH_BIN ?? path.join(ROOT,
    'build/release'));
const OUT = path.join(BIN, 'site');
const AXE = readFileSync(createRequire(import.meta.url)
    .resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [360, 768, 1280, 1920];
const MOST_BYTES = 1_000_000;
const PATIENCE = 60_000; // others may be using the machine

// What was measured here is no matter of the site.
process.env.TRIPTYCH_FIGURES = 'published';

function build(out, env = {}, ...options) {
    return spawnSync(process.execPath, [path.join(SLIDES, 'build.mjs'),
        '--out', out, '--bin', BIN, ...options], { encoding: 'utf8',
        env: { ...process.env, TRIPTYCH_BIN: BIN, ...env } });
}

const made = build(OUT);
assert.equal(made.status, 0, made.stdout + made.stderr);

// The lecture has tests of its own.
const pages = readdirSync(OUT, { recursive: true })
    .filter((name) => name.endsWith('.html') && !name.startsWith('lecture'))
    .sort();
const exists = (name) => pages.includes(name);
// One of each kind, for what takes long.
const kinds = ['index.html', 'start.html', 'glossary.html',
    'columns/index.html', 'columns/minimal.html', 'columns/deliver.html',
    'columns/take.html', 'columns/await.html', 'columns/stackless.html',
    'source/index.html', 'source/threads/queue.c.html',
    'source/evloop/connection.h.html', 'timelines/index.html',
    'timelines/head.html', 'timelines/condition.html', 'labs/index.html',
    'labs/threads.html', 'race.html', 'parser.html', 'backpressure.html', 'scheduler.html',
    'turn.html', 'reading.html',
    'try.html',
    pages.find((p) => /^mistakes\/\d/.test(p))].filter(exists);

let browser;
before(async () => {
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium',
        args: ['--no-sandbox'], timeout: PATIENCE });
});
after(() => browser?.close());

const url = (page) => pathToFileURL(path.join(OUT, page)).href;

// A tab, with notes of what goes wrong in it and what it loads.
async function newTab(context) {
    const tab = await context.newPage();
    tab.setDefaultTimeout(PATIENCE);
    const wrong = [];
    const loaded = new Set();
    tab.on('console', (m) => m.type() === 'error' && wrong.push(m.text()));
    tab.on('pageerror', (error) => wrong.push(error.message));
    tab.on('request', (request) => {
        if (request.url().startsWith('file:'))
            loaded.add(fileURLToPath(request.url().replace(/[?#].*/, '')));
        else if (!/^(data|blob):/.test(request.url()))
            wrong.push(`asks for ${request.url()}`);
    });
    const visit = async (page) => {
        wrong.length = 0;
        loaded.clear();
        await tab.goto(url(page), { timeout: PATIENCE });
    };
    return { tab, wrong, loaded, visit };
}

async function open(context, page) {
    const { tab, wrong, visit } = await newTab(context);
    await visit(page);
    assert.deepEqual(wrong, [], page);
    return { tab };
}

async function withContext(options, work) {
    const context = await browser.newContext(options);
    try {
        return await work(context);
    } finally {
        await context.close();
    }
}

// What axe finds: everything, or only what a page's own content can break.
const OF_CONTENT = ['aria-allowed-attr', 'definition-list', 'dlitem',
    'empty-heading', 'empty-table-header', 'heading-order', 'image-alt',
    'link-name', 'list', 'listitem', 'nested-interactive',
    'page-has-heading-one', 'scrollable-region-focusable'];

// What depends on the theme.
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

async function violations(tab, rules) {
    if (!await tab.evaluate(() => 'axe' in window))
        await tab.evaluate(AXE);
    return tab.evaluate(async (values) => {
        const found = await window.axe.run(document, { preload: false,
            resultTypes: ['violations'],
            ...(values ? { runOnly: { type: 'rule', values } } : {}) });
        return found.violations.map((v) => `${v.id}: ${v.help}: ${
            v.nodes.slice(0, 3).map((n) => n.html.slice(0, 150)).join(' | ')}`);
    }, rules);
}

// --- What is right ---------------------------------------------------------

const WIDE = { viewport: { width: 1280, height: 900 } };
const NARROW = { viewport: { width: 360, height: 800 } };
const written = new Map(); // the characters of all pages

// Those of a kind look alike, so what takes long is done with one of each;
// and with some of the others, by lot.
const seed = Number(process.env.TRIPTYCH_SEED ?? Date.now() % 100_000);
const LOTS = 12;

function drawn() {
    let state = seed;
    const random = (most) => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return Math.floor(state / 2 ** 31 * most);
    };
    const others = pages.filter((page) => !kinds.includes(page));
    return Array.from({ length: Math.min(LOTS, others.length) }, () =>
        others.splice(random(others.length), 1)[0]);
}

// A page is loaded once, and what is found is kept by what was looked for.
const found = { fits: [], light: [], dark: [], narrow: [], keyboard: [],
    cut: [] };

const resize = (tab, width) => tab.setViewportSize({ width, height: 900 });
// Pages hear of a resize with the next frame.
const painted = (tab) => tab.evaluate(() => new Promise((done) =>
    requestAnimationFrame(() => requestAnimationFrame(done))));

async function weighs(loaded) {
    const weight = [...loaded].reduce((sum, file) =>
        sum + statSync(file).size, 0);
    return weight >= MOST_BYTES ? [`it weighs ${weight} bytes`] : [];
}

// An annotated file: its code stands right of the prose.
const misplaced = (tab) => tab.evaluate(() =>
    [...document.querySelectorAll('.seg > .code')].filter((code) =>
        code.getBoundingClientRect().left < code.parentElement
            .querySelector('.prose').getBoundingClientRect().right)
        .map((code) => `in the wrong column: ${code.innerText.slice(0, 60)}`));

// A flex box or a grid makes a column of each piece of a sentence.
const torn = (tab) => tab.evaluate(() =>
    [...document.querySelectorAll('body *')]
        .filter((e) => e.children.length > 0 &&
            /flex|grid/.test(getComputedStyle(e).display) &&
            [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE &&
                n.data.trim() !== ''))
        .map((e) => `torn: ${e.innerText.slice(0, 60)}`));

async function tooWide(tab, widths) {
    const problems = [];
    for (const width of widths) {
        await resize(tab, width);
        const over = await tab.evaluate(() =>
            document.documentElement.scrollWidth - window.innerWidth);
        if (over > 0)
            problems.push(`at a width of ${width}: ${over} px too wide`);
    }
    return problems;
}

async function unreached(tab) {
    const count = await tab.evaluate(() => {
        window.reached = new Set();
        document.addEventListener('focusin', (e) =>
            window.reached.add(e.target));
        window.wanted = [...document.querySelectorAll('a[href], button,' +
            'summary, input, select, [tabindex="0"]')]
            .filter((e) => e.checkVisibility({
                visibilityProperty: true }) && !e.disabled);
        return window.wanted.length;
    });
    // A frame that scrolls may be a stop of its own.
    for (let i = 0; i < count * 1.1 + 10; i++)
        await tab.keyboard.press('Tab');
    const missed = await tab.evaluate(() => window.wanted
        .filter((e) => !window.reached.has(e) && !(e.type === 'radio' &&
            [...window.reached].some((r) => r.name === e.name)))
        .map((e) => `not reached: ${e.outerHTML.slice(0, 120)}`));
    return count > 5 ? missed : ['there is nothing to reach'];
}

async function cutLines(tab) {
    const problems = [];
    await tab.evaluate(() => document.querySelectorAll('details')
        .forEach((d) => { d.open = true; }));
    for (const width of WIDTHS) {
        await resize(tab, width);
        problems.push(...await tab.evaluate((w) =>
            [...document.querySelectorAll('.columns pre')]
                .filter((pre) => pre.scrollWidth > pre.clientWidth)
                .map((pre) => `${w}: ${pre.innerText.slice(0, 60)}`), width));
    }
    return problems;
}

async function lookAt(tab, loaded, page, lots) {
    const isFirst = kinds.includes(page);
    const add = (kind, problems) => found[kind].push(...problems
        .map((what) => `${page}: ${what}`));
    add('fits', await letters(tab, written, isFirst));
    add('fits', await weighs(loaded));
    add('fits', await misplaced(tab));
    add('fits', await torn(tab));
    if (isFirst) {
        add('light', await violations(tab));
        await tab.emulateMedia({ colorScheme: 'dark' });
        add('dark', await violations(tab, OF_COLOURS));
        await tab.emulateMedia({ colorScheme: 'light' });
    } else if (lots.includes(page)) {
        add('light', await violations(tab, OF_CONTENT));
    }
    add('fits', await tooWide(tab, isFirst ? WIDTHS :
        [WIDTHS[0], WIDTHS.at(-1)]));
    if (isFirst) {
        await resize(tab, WIDTHS[0]);
        await painted(tab);
        add('narrow', await violations(tab, OF_CONTENT));
        await resize(tab, WIDE.viewport.width);
        await painted(tab);
        add('keyboard', await unreached(tab));
    }
    if (page.startsWith('columns/'))
        add('cut', await cutLines(tab));
    await resize(tab, WIDE.viewport.width);
}

test('an argument that it does not know is named, and nothing is built', () => {
    for (const [words, said] of [[['--bogus'], "Unknown option '--bogus'"],
        [['--course=3'], "Option '--course' does not take an argument"],
        [['here'], "Unexpected argument 'here'"]]) {
        const out = path.join(BIN, 'site-refused');
        const result = build(out, {}, ...words);
        assert.equal(result.status, 2, result.stderr);
        assert.equal(result.stderr, `site: ${said}\n` +
            'It takes --course, --out DIR and --bin DIR.\n');
        assert.ok(!existsSync(out), out);
    }
});

test('every page loads from the file system, fits, weighs little', async () => {
    const queue = [...pages];
    const lots = drawn();
    console.log(`axe looks also at pages by lot: TRIPTYCH_SEED=${seed}`);
    // Without what plays: it would hide a word while the keys are on their way.
    await withContext({ ...WIDE, colorScheme: 'light',
        reducedMotion: 'reduce' }, async (context) => {
        const worker = async () => {
            const { tab, wrong, loaded, visit } = await newTab(context);
            for (let page = queue.shift(); page; page = queue.shift()) {
                await visit(page);
                await lookAt(tab, loaded, page, lots);
                found.fits.push(...wrong.map((what) => `${page}: ${what}`));
            }
        };
        await Promise.all([worker(), worker()]);
    });
    assert.deepEqual(found.fits, []);
});

for (const [kind, name] of Object.entries({
    light: 'axe finds nothing in the light theme',
    dark: 'axe finds nothing in the dark theme',
    narrow: 'axe finds nothing on a narrow screen',
    keyboard: 'the keyboard alone reaches everything',
    cut: 'no line of a column is cut, at any width',
}))
    test(name, () => assert.deepEqual(found[kind], []));

// With callers and callees, with callers alone, with callees alone.
test('a map of calls is seen whole, at any width, and begins at the left', () =>
    withContext(WIDE, async (context) => {
        const { tab, visit } = await newTab(context);
        for (const file of ['evloop/coroutines/coroutine.c',
            'common/clock.c', 'threads/minimal.c']) {
            await visit(`source/${file}.html`);
            for (const width of WIDTHS) {
                await resize(tab, width);
                assert.deepEqual(await tab.evaluate(() => {
                    const frame = document.querySelector('.map .scroll');
                    const maps = [...frame.children].filter((svg) =>
                        svg.checkVisibility());
                    const boxes = [...frame.querySelectorAll('rect')]
                        .filter((rect) => rect.checkVisibility())
                        .map((rect) => rect.getBoundingClientRect().left);
                    return { maps: maps.length,
                        cut: frame.scrollWidth > frame.clientWidth,
                        before: Math.round(Math.min(...boxes) -
                            frame.getBoundingClientRect().left) };
                }), { maps: 1, cut: false, before: 0 }, `${file}: ${width}`);
            }
        }
    }));

test('what is said of a killed worker fits its mark, also on a phone', () =>
    withContext(NARROW, async (context) => {
        const { tab } = await open(context, 'timelines/killed.html');
        assert.ok(await tab.evaluate(() => {
            const left = (name) => document.querySelector(`.lost ${name}`)
                .getBoundingClientRect().left;
            return left('text') >= left('rect');
        }));
    }));

test('every character is in the fonts that the site brings along', () =>
    withContext({}, async (context) => {
        const cast = readFileSync(path.join(OUT, 'race.html'), 'utf8')
            .match(/id="cast">([^]*?)<\/script>/)[1];
        written.set('"IBM Plex Mono", monospace|400|normal', new Set([
            ...written.get('"IBM Plex Mono", monospace|400|normal'),
            ...JSON.parse(cast).split('\n').slice(1).flatMap((line) =>
                [...JSON.parse(line)[2]])]));
        assert.ok(written.size >= 5, [...written.keys()].join('\n'));
        const tab = await context.newPage();
        assert.deepEqual(await missing(tab, written), []);
    }));

test('a narrow screen shows one model at a time, without a script', async () => {
    await withContext({ viewport: { width: 360, height: 800 },
        javaScriptEnabled: false }, async (context) => {
        const { tab } = await open(context, 'columns/deliver.html');
        const shown = async () => (await tab.locator('.cell:visible')
            .evaluateAll((cells) => cells.map((c) => c.dataset.models)));
        const all = await shown();
        assert.ok(['threads', 'processes', 'evloop'].every((model) =>
            all.some((m) => m.includes(model))), `shown at first: ${all}`);
        await tab.locator('label.processes').click();
        const some = await shown();
        assert.ok(some.length > 0 && some.length < all.length &&
            some.every((m) => m.split(' ').includes('processes')),
        `shown after the choice: ${some}`);
        await tab.keyboard.press('ArrowRight');
        assert.ok((await shown()).every((m) => m.split(' ').includes('evloop')),
            'the arrow keys choose the next');
    });
});

test('without a script everything can be read', async () => {
    await withContext({ javaScriptEnabled: false }, async (context) => {
        for (const [page, text] of [
            ['source/threads/queue.c.html', 'pthread_cond_wait'],
            ['source/index.html', 'places.c'],
            ['timelines/head.html', 'worker 5'],
            ['timelines/condition.html', 'asleep'],
        ]) {
            const { tab } = await open(context, page);
            assert.match(await tab.locator('main').innerText(),
                new RegExp(text), page);
            await tab.close();
        }
    });
});

test('the columns stand side by side, each with its own code', async () => {
    await withContext({ viewport: { width: 1280, height: 900 } },
        async (context) => {
            const { tab } = await open(context, 'columns/deliver.html');
            await tab.locator('.production > summary').click();
            const boxes = await tab.locator('.production .columns').first()
                .locator('.cell').evaluateAll((cells) => cells.map((cell) => ({
                    top: cell.getBoundingClientRect().top,
                    left: cell.getBoundingClientRect().left,
                    text: cell.textContent })));
            assert.equal(boxes.length, 3);
            assert.ok(boxes[0].top === boxes[1].top &&
                boxes[1].top === boxes[2].top, 'aligned');
            assert.ok(boxes[0].left < boxes[1].left &&
                boxes[1].left < boxes[2].left, 'in order');
            ['threads/fetch.c', 'processes/worker.c', 'evloop/request.c']
                .forEach((file, i) => {
                    const { code } = definition(file, 'step_deliver');
                    assert.ok(boxes[i].text.includes(code), file);
                });
            await tab.locator('.production .quote figcaption a').first()
                .click();
            await tab.waitForURL(/fetch\.c\.html#step_deliver$/);
            assert.ok(await tab.locator('#step_deliver').evaluate((e) =>
                Math.abs(e.getBoundingClientRect().top) < innerHeight),
            'the place is on the screen');
        });
});

test('a step begins with the minimal programs, and shows who waits', async () => {
    await withContext(WIDE, async (context) => {
        const { tab } = await open(context, 'columns/deliver.html');
        const shown = (selector) => tab.locator(selector).evaluateAll((all) =>
            all.filter((e) => e.checkVisibility()).map((e) => e.innerText.trim()));
        const first = await tab.locator('.columns').first().innerText();
        for (const model of ['threads', 'processes', 'evloop'])
            assert.match(first, new RegExp(`${model}/minimal.c: step_deliver`));
        assert.deepEqual(await shown('.production .quote'), [], 'folded');
        await tab.locator('.production > summary').click();
        assert.deepEqual(await shown('.traced'), [], 'the trace is hidden');
        await tab.locator('#show-traces').check();
        assert.ok((await shown('.traced')).some((t) =>
            /^trace_\w+\(/.test(t)));
        const waits = await shown('.waits');
        for (const call of [/^pthread_cond_wait\(/, /frame_write\(/,
            /connection_pause\(/, /\bwatch\(/])
            assert.ok(waits.some((line) => call.test(line)), `${call}`);
        const wakes = await shown('.wakes');
        for (const call of [/connection_resume\(/, /mailbox_watch\(/])
            assert.ok(wakes.some((line) => call.test(line)), `${call}`);
        // The definition of what waits is not a line that waits.
        assert.ok(!waits.some((line) =>
            /^(static|int|void|bool) [^=]*$/.test(line)),
            waits.join('\n'));
        assert.equal(await tab.locator('.fourth:visible').count(), 0);
        await tab.locator('#show-fourth').check();
        const boxes = await tab.locator('.columns').first().locator('.cell')
            .evaluateAll((all) => all.map((e) => e.getBoundingClientRect().top));
        assert.ok(boxes.length === 4 && new Set(boxes).size === 1,
            `four in a row: ${boxes}`);
        await tab.goto(`${url('columns/deliver.html')}#back-pressure-itself`);
        await tab.reload();
        assert.ok(await tab.locator('.production').evaluate((d) => d.open),
            'a link into what is folded opens it');
    });
});

test('the first programs print what their panels say', () => {
    const expected = {
        descriptor: /^3 4 3\n$/,
        'blocking-read': /^6 bytes; the processor worked \d+ ms\n$/,
        pipe: /^room for \d+\nread 5\nread 0: the end\n$/,
        socket: /^5 bytes: hello\n$/,
        thread: /^200000\n$/,
        fork: /^the child's 2, ours 1\n$/,
        'non-blocking': /^-1: EAGAIN\n5 bytes\n$/,
        epoll: /^1 ready: b\n$/,
    };
    const all = panels(ROOT);
    assert.deepEqual(all.map((p) => p.word), Object.keys(expected));
    const page = readFileSync(path.join(OUT, 'start.html'), 'utf8');
    for (const panel of all) {
        assert.match(printed(BIN, panel), expected[panel.word], panel.word);
        assert.ok(page.includes(`id="${panel.word}"`), panel.word);
        const body = definition(panel.source, 'main').code.split('\n');
        assert.ok(body.length <= 17, `${panel.source}: ${body.length} lines`);
    }
    assert.equal(page.match(/<summary>Answer/g).length, all.length);
});

test('a word tells what it means: by mouse, by key, by touch, once a page',
    async () => {
        for (const page of pages) {
            const targets = [...readFileSync(path.join(OUT, page), 'utf8')
                .matchAll(/popovertarget="([^"]*)"/g)].map((m) => m[1]);
            assert.equal(new Set(targets).size, targets.length, page);
        }
        const told = (tab) => tab.locator('.meaning:popover-open');
        const within = async (tab) => {
            const box = await told(tab).boundingBox();
            const { width, height } = tab.viewportSize();
            assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width &&
                box.y + box.height <= height, JSON.stringify(box));
        };
        await withContext(WIDE, async (context) => {
            const { tab } = await open(context, 'columns/deliver.html');
            const word = tab.locator('.term', { hasText: 'high mark' })
                .first();
            await word.hover();
            await told(tab).waitFor();
            assert.match(await told(tab).innerText(), /^high mark So many/);
            await within(tab);
            await tab.mouse.move(5, 5);
            await told(tab).waitFor({ state: 'detached' });
            await word.focus();
            await tab.keyboard.press('Enter');
            await told(tab).waitFor();
            // Told by an event, which comes after it is shown.
            await tab.locator('.term[aria-expanded="true"]',
                { hasText: 'high mark' }).first().waitFor();
            await tab.keyboard.press('Tab');
            assert.equal(await tab.evaluate(() =>
                document.activeElement.textContent), 'Glossary');
            await tab.keyboard.press('Escape');
            await told(tab).waitFor({ state: 'detached' });
            await tab.keyboard.press('Enter');
            await told(tab).waitFor();
            await told(tab).locator('a').click();
            await tab.waitForURL(/glossary\.html#high-mark$/);
        });
        for (const javaScriptEnabled of [true, false]) {
            await withContext({ ...NARROW, hasTouch: true, isMobile: true,
                javaScriptEnabled }, async (context) => {
                const { tab } = await open(context, 'start.html');
                await tab.locator('.term').nth(3).tap();
                await told(tab).waitFor();
                await within(tab);
            });
        }
    });

test('the picture of the front page moves when it may, and by hand', async () => {
    await withContext({ ...WIDE, reducedMotion: 'reduce' }, async (context) => {
        const { tab } = await open(context, 'index.html');
        const now = () => tab.locator('.lanes').evaluate((e) =>
            e.style.getPropertyValue('--now'));
        const told = () => tab.locator('.moments .now b').first().innerText();
        const before = await now();
        await tab.waitForTimeout(300);
        assert.equal(await now(), before, 'it stands still');
        const first = await told();
        await tab.locator('.lanes .next').click();
        assert.notEqual(await told(), first);
        const asleep = await tab.locator('.lanes .sleeping .who')
            .allInnerTexts();
        assert.ok(asleep.includes('thread A') && asleep.includes('parent') &&
            !asleep.includes('thread B') && !asleep.includes('the loop') &&
            !asleep.includes('its loop'), asleep.join());
        assert.deepEqual(await tab.locator('.lanes .group > .tag')
            .allInnerTexts(), ['threads', 'processes', 'evloop', 'coroutines']);
        await tab.locator('.lanes .back').click();
        assert.equal(await told(), first);
        await tab.locator('.lanes .go').click();
        await tab.waitForFunction((b) => document.querySelector('.lanes').style
            .getPropertyValue('--now') !== b, before);
        await tab.locator('.lanes .go').click();
        assert.equal(await tab.locator('.lanes .go').innerText(), 'Play');
    });
    await withContext({ ...WIDE, reducedMotion: 'no-preference' },
        async (context) => {
            const { tab } = await open(context, 'index.html');
            assert.equal(await tab.locator('.lanes .go').innerText(), 'Pause');
        });
    await withContext({ javaScriptEnabled: false }, async (context) => {
        const { tab } = await open(context, 'index.html');
        assert.equal(await tab.locator('.moments > li:visible').count(),
            await tab.locator('.moments > li').count(), 'all is told');
    });
});

// --- The parser, as WebAssembly ---------------------------------------------

const wasm = parserOf(ROOT);
const withoutWasm = wasm.missing && `no compiler for WebAssembly: ${wasm.missing}`;

const bytesOf = (text) => Buffer.from(text.replaceAll('|', '').replace(
    /\\(?:x(..)|([rn\\]))/g, (_, hex, sign) => hex
        ? String.fromCharCode(parseInt(hex, 16))
        : { r: '\r', n: '\n', '\\': '\\' }[sign]), 'latin1');

// The examples, and each of them cut off, with a byte changed, a byte doubled.
function responses() {
    return examples(ROOT).map((e) => bytesOf(e.text)).flatMap((b) => {
        const part = (f) => Math.floor(b.length * f);
        const changed = Buffer.from(b);
        if (b.length > 0)
            changed[part(.8)] = 0x3b;
        const doubled = Buffer.concat([b.subarray(0, part(.4)),
            b.subarray(Math.max(part(.4) - 1, 0))]);
        return [b, b.subarray(0, part(.5)), b.subarray(0, part(.95)), changed,
            doubled];
    });
}

// What the page's parser makes of it, fed in pieces of this size.
function parsed(parser, response, size) {
    parser.load(response);
    let used = 1;
    while (used > 0)
        ({ used } = parser.feed(size));
    parser.close();
    const { result, outcomeStatus, bytes } = parser.look();
    return `${result} ${outcomeStatus || '-'} ${bytes}`;
}

// What the program makes of it: a server sends it, and closes.
async function fetched(all) {
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        let asked = '';
        socket.on('data', (data) => {
            asked += data;
            if (asked.includes('\r\n\r\n'))
                socket.end(all[Number(asked.match(/^GET \/(\d+)/)[1])]);
        });
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-parser-'));
    try {
        const report = path.join(folder, 'report.tsv');
        const child = spawn(path.join(BIN, 'fetch-evloop'), ['-n', '-j', '8',
            '--max-redirects', '0', '--report', report, ...all.map((_, i) =>
                `http://127.0.0.1:${server.address().port}/${i}`)],
        { stdio: 'ignore' });
        await new Promise((done) => child.on('exit', done));
        const [head, ...rows] = readFileSync(report, 'utf8').trimEnd()
            .split('\n').map((line) => line.split('\t'));
        return rows.map((row) => ['result', 'status', 'bytes'].map((name) =>
            row[head.indexOf(name)]).join(' '));
    } finally {
        server.close();
        rmSync(folder, { recursive: true });
    }
}

test('the page has the program\'s parser: the same outcome of 100 responses',
    { skip: withoutWasm }, async () => {
        const all = responses();
        assert.ok(all.length >= 100, `${all.length} responses`);
        const theirs = await fetched(all);
        const parser = globalThis.triptychParser(wasm.bytes);
        const kinds = new Set(theirs.map((t) => t.split(' ')[0]));
        assert.ok(kinds.size >= 4, [...kinds].join());
        for (const size of [1, 7, 100_000]) {
            assert.deepEqual(all.map((r) => parsed(parser, r, size)), theirs,
                `in pieces of ${size}`);
        }
    });

test('the parser is fed by hand', { skip: withoutWasm }, async () => {
    await withContext(WIDE, async (context) => {
        const { tab } = await open(context, 'parser.html');
        const is = (name) => tab.locator(`[data-is="${name}"]`);
        const state = () => tab.locator('.states [aria-current]').innerText();
        assert.equal(await state(), 'STATUS_LINE');
        await is('next').click();
        assert.equal(await is('kept').innerText(), '1 bytes');
        await is('end').click();
        assert.equal(await state(), 'DONE');
        assert.match(await is('outcome').innerText(), /^ok; 5 bytes of body/);
        assert.equal(await tab.locator('.bytes .body').count(), 5);
        await is('back').click();
        assert.equal(await state(), 'LENGTH');
        assert.equal(await is('left').innerText(), '1 bytes');
        await is('example').selectOption({ label: 'two lengths that differ' });
        await is('end').click();
        assert.equal(await state(), 'BAD');
        assert.match(await is('outcome').innerText(), /^protocol: /);
        await is('text').fill('HTTP/1.1 200 OK\\r\\nContent-Le|ngth: 2' +
            '\\r\\n\\r\\no|k');
        await is('size').fill('0');
        await is('where').focus();
        await tab.keyboard.press('ArrowRight');
        assert.equal(await state(), 'FIELDS');
        await tab.keyboard.press('End');
        assert.equal(await state(), 'DONE');
        assert.match(await is('told').innerText(), /^Piece 3 of 3\. LENGTH/);
        await is('text').fill('HTTP/1.1 200 OK\\r\\n\\r\\nhello');
        await is('closes').check();
        await is('end').click();
        assert.match(await is('told').innerText(), /UNTIL_CLOSE → DONE/);
    });
});

// The simulator in both builds: over libevent, and over the page's own world.
function simulated(lines) {
    const c = new WebAssembly.Instance(new WebAssembly.Module(
        simulatorOf(ROOT).bytes), {}).exports;
    c._initialize();
    const out = [];
    let sources = 0;
    for (const line of lines) {
        const [word, ...rest] = line.split(' ');
        const n = rest.map(Number);
        if (word === 'step') {
            for (let k = 0; k < n[0]; k++) {
                c.simulator_step();
                const all = [c.simulator_pipe(), c.simulator_taken(),
                    c.simulator_drained(), c.simulator_turn()];
                for (let i = 0; i < sources; i++)
                    all.push(c.simulator_socket(i), c.simulator_stash(i),
                        c.simulator_paused(i));
                out.push(all.join(' '));
            }
            continue;
        }
        [sources] = word === 'begin' ? n : [sources];
        c[`simulator_${word}`](...n);
    }
    return out;
}

test('the page has the program\'s streams: both builds go the same way',
    { skip: withoutWasm }, () => {
        let seed = 12345;
        const random = (most) => {
            seed = (seed * 1103515245 + 12345) % 2 ** 31;
            return Math.floor(seed / 2 ** 31 * most);
        };
        const lines = [];
        for (let run = 0; run < 20; run++) {
            const low = random(100_000);
            lines.push(`set ${random(9000)} ${random(20_000)} ${
                1 + random(2_000_000)} ${run % 5 === 4 ? 1 : 0}`,
            `begin ${1 + random(8)} ${low + random(100_000)} ${low}`);
            for (let k = 0; k < 20; k++) {
                const next = random(60_000);
                lines.push(`step ${random(40)}`, [`limits ${
                    next + random(50_000)} ${next}`, `set ${random(9000)} ${
                    random(20_000)} ${1 + random(500_000)} 0`][random(2)]);
            }
        }
        const native = spawnSync(path.join(BIN, 'tests/simulated'),
            { input: `${lines.join('\n')}\n`, encoding: 'utf8',
                maxBuffer: 1 << 28 });
        assert.equal(native.status, 0, native.stderr);
        const theirs = native.stdout.trimEnd().split('\n');
        assert.ok(theirs.length > 5000, `${theirs.length} steps`);
        assert.deepEqual(simulated(lines), theirs);
    });

test('memory is flat with drain, and grows when it is forgotten',
    { skip: withoutWasm }, async () => {
        await withContext({ ...WIDE, reducedMotion: 'reduce' },
            async (context) => {
                const { tab } = await open(context, 'backpressure.html');
                const is = (name) => tab.locator(`[data-is="${name}"]`);
                const kib = async (name) => {
                    const [, value, unit] = (await is(name).innerText())
                        .match(/([\d.]+) ([KM])iB$/);
                    return Number(value) * (unit === 'M' ? 1024 : 1);
                };
                const run = async (times) => {
                    for (let i = 0; i < times; i++)
                        await is('ten').click();
                };
                await run(30);
                const most = await kib('bound');
                assert.ok(await kib('memory') <= most, 'within the bound');
                assert.ok(await tab.locator('.levels .paused').count() >= 3);
                const few = await is('drained').innerText();
                await is('forgotten').check();
                await is('begin').click();
                await run(30);
                assert.ok(await kib('memory') > most * 3, 'it grows');
                assert.equal(await tab.locator('.levels .paused').count(), 0);
                // With marks that are one it goes on and off all the time.
                await is('forgotten').uncheck();
                await is('begin').click();
                await is('equal').check();
                await run(30);
                assert.ok(parseInt(await is('drained').innerText(), 10) >
                    parseInt(few, 10) * 2, few);
                assert.ok(await kib('memory') <= most);
                await is('sources').focus();
                await tab.keyboard.press('ArrowRight');
                assert.equal(await tab.locator('.levels tbody tr').count(), 5);
            });
    });

test('without a compiler for WebAssembly there is a site, which says so', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-path-'));
    try {
        const clang = path.join(folder, 'clang');
        writeFileSync(clang, '#!/bin/sh\necho no target >&2\nexit 1\n',
            { mode: 0o755 });
        const script = `import { compiled } from '${
            path.join(SLIDES, 'lib/wasm.mjs')}'; console.log(compiled('${
            ROOT}', ['x.c'], []).missing)`;
        assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e',
            script], { encoding: 'utf8', env: { ...process.env,
            PATH: `${folder}:${process.env.PATH}` } }).stdout, 'no target\n');
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test('search finds names and comments', async () => {
    await withContext({}, async (context) => {
        const { tab } = await open(context, 'index.html');
        await tab.keyboard.press('/');
        await tab.waitForURL(/source\/index\.html$/);
        await tab.keyboard.press('/');
        await tab.keyboard.type('queue_take');
        assert.equal(await tab.locator('#results a').first().textContent(),
            'queue_take');
        await tab.keyboard.press('Enter');
        await tab.waitForURL(/queue\.[ch]\.html#queue_take/);
        await tab.goBack();
        await tab.locator('#query').fill('zombie spurious nonsense');
        assert.equal(await tab.locator('#found').textContent(), 'Nothing found');
        await tab.locator('#query').fill('low watermark drain');
        assert.ok(await tab.locator('#results li').count() > 0);
    });
});

test('a timeline is walked and zoomed by keys, and told about', async () => {
    await withContext({}, async (context) => {
        const { tab } = await open(context, 'timelines/pool.html');
        const first = tab.locator('figure.timeline').first();
        const told = () => first.locator('.told').textContent();
        const axis = () => first.locator('svg .small').allTextContents();
        await first.locator('.frame').focus();
        await tab.keyboard.press('ArrowRight');
        const one = await told();
        assert.match(one, /^main: (start|take)/);
        await tab.keyboard.press('ArrowDown');
        assert.match(await told(), /^worker 0: .*ms|µs/);
        const before = await axis();
        await tab.keyboard.press('+');
        assert.notDeepEqual(await axis(), before, 'zoomed in');
        await tab.keyboard.press('0');
        assert.deepEqual(await axis(), before, 'all is shown');
        await first.getByRole('button', { name: 'Zoom in' }).click();
        assert.notDeepEqual(await axis(), before, 'zoomed by the button');
        await first.getByRole('button', { name: 'All' }).click();
        await first.locator('.span.waits').last().hover();
        assert.match(await told(), /asleep on the condition.*queue_take/);
    });
});

test('the timelines show what their texts say', () => {
    const data = (page) => [...readFileSync(path.join(OUT, page), 'utf8')
        .matchAll(/<script type="application\/json">([^]*?)<\/script>/g)]
        .map((m) => JSON.parse(m[1]));
    const spans = (one, step) => one.lanes.flatMap((lane) => lane.spans
        .filter((s) => s[0] === step).map((s) => ({ lane, long: s[2] - s[1], why: s[6] })));
    const [pool] = data('timelines/pool.html');
    assert.equal(pool.lanes.length, 5, 'main and four workers');
    for (const { name, spans: all } of pool.lanes) {
        const last = all.at(-1);
        assert.equal(last[3], null,
            `${name}: ${last[0]} is about no request, at the end`);
        assert.ok(all.some((s) => s[0] === 'take' && s[3] !== null), name);
    }
    const [pipe] = data('timelines/pipe.html');
    const peak = Math.max(...pipe.lanes.flatMap((l) =>
        (l.counters['in the pipe'] ?? []).map((p) => p[1])));
    assert.ok(peak >= 60000 && peak <= 65536, `in the pipe: ${peak}`);
    assert.ok(spans(pipe, 'deliver').some((s) => s.long > 20),
        'a writer has slept');
    for (const lane of pipe.lanes.slice(1)) {
        const [, left] = lane.counters['in the pipe'].at(-1);
        assert.equal(left, 0, `${lane.name}: all is read at its end`);
    }
    const [mark] = data('timelines/watermark.html');
    const pauses = spans(mark, 'deliver').filter((s) => s.long > 5);
    assert.ok(pauses.length > 2, `${pauses.length} pauses`);
    const [killed] = data('timelines/killed.html');
    assert.equal(killed.lost.length, 1);
    assert.equal(spans(killed, 'retry').length, 1);
    const head = data('timelines/head.html');
    assert.equal(head.length, 3);
    for (const one of head)
        assert.ok(spans(one, 'deliver').filter((s) => s.long > 20).length >= 5,
            `${one.id}: five wait`);
    // Who has the turn waits for the consumer, and only who has it.
    for (const one of head) {
        const all = one.lanes.flatMap((lane) => lane.spans);
        const waits = all.filter((s) => s[0] === 'deliver' && s[2] - s[1] > 20);
        for (const [, from, , id, , , why] of waits) {
            const before = all.filter((s) => s[0] === 'finish' && s[3] < id);
            assert.equal(why, before.some((s) => s[2] > from) ? 'turn'
                : 'consumer', `${one.id}: request ${id}`);
        }
        assert.ok(waits.filter((s) => s[6] === 'turn').length >= 5, one.id);
        for (const why of ['turn', 'consumer'])
            assert.match(one.waits[`deliver, ${why}`], new RegExp(why));
    }
    assert.ok(pauses.every((s) => s.why === 'consumer'), 'one has the turn');
});

test('the threads stand beside the loop as they are when it sleeps', () => {
    const turns = [[0], [1000, 800], [51_000, 50_000], [51_500, 300],
        [90_000, 38_000], [90_400, 200]].map(([us, slept]) => ({ us, slept }));
    assert.deepEqual(turns.map((_, i) => besideAt(turns, i)),
        [400, 21_000, 70_500, 70_500, 110_400, 110_400]);
});

test('a timeline asks first, and main waits for its workers', async () => {
    await withContext(WIDE, async (context) => {
        const { tab } = await open(context, 'timelines/head.html');
        const figures = tab.locator('figure.timeline');
        for (const figure of await figures.all()) {
            assert.match(await figure.locator('.predict').innerText(),
                /^Predict first\./);
            assert.ok(await figure.locator('figcaption p').isHidden());
            await figure.locator('figcaption summary').click();
            assert.ok(await figure.locator('figcaption p').isVisible());
        }
        const first = figures.first();
        await first.locator('.frame').focus();
        await tab.keyboard.press('ArrowRight');
        const told = () => first.locator('.told').textContent();
        let text = '';
        for (let i = 0; i < 40 && !/main: stop/.test(text); i++) {
            text = await told();
            await tab.keyboard.press('ArrowRight');
        }
        assert.match(text, /main: stop.*asleep until its workers have ended/);
    });
});

test('the wait on the condition lets others have the lock', () => {
    const text = readFileSync(path.join(OUT, 'timelines/condition.html'),
        'utf8');
    const list = [...text.matchAll(/<li>after [^:]*: ([^<]*)<\/li>/g)]
        .map((m) => m[1]);
    const sleeps = list.findIndex((l) => /worker 0 sleeps/.test(l));
    const put = list.findIndex((l, i) => i > sleeps && /main.*holds/.test(l));
    const signal = list.findIndex((l, i) => i > put && /main.*signals/.test(l));
    const again = list.findIndex((l, i) => i > signal && /worker.*holds/.test(l));
    assert.ok(sleeps !== -1 && sleeps < put && put < signal && signal < again,
        list.join('\n'));
});

const scheduled = () => JSON.parse(readFileSync(path.join(OUT,
    'scheduler.html'), 'utf8').match(/id="schedules">([^]*?)<\/script>/)[1]);

test('each mistake has a schedule that fails, and the right code has none', () => {
    const { graphs } = scheduled();
    const numbers = [];
    for (const [scene, versions] of Object.entries(graphs)) {
        for (const [version, graph] of Object.entries(versions)) {
            const walked = globalThis.triptychGraph(graph);
            const what = `${scene}, ${version}`;
            assert.ok(graph.complete, what);
            // Each thread has one name, also where it is made.
            const made = Array.from({ length: walked.size },
                (_, node) => walked.edges(node)).flat()
                .flatMap((step) => step.steps)
                .flatMap(([, text]) => /^create (.*)$/.exec(text)?.[1] ?? []);
            assert.ok(made.length > 0 && made.every((name) =>
                graph.threads.includes(name)), `${what}: ${made}`);
            assert.ok(JSON.stringify(graph).length < 300 * 1024, what);
            const to = walked.shortest().at(-1)?.to;
            if (version === 'right') {
                assert.equal(to, undefined, what);
                assert.ok(graph.ends.every(([kind]) => kind === 'passed'), what);
            } else {
                assert.ok(to < 0 && walked.fails(to), what);
                numbers.push(Number(version));
                // Its page tells it, step by step.
                const page = pages.find((p) => p.startsWith(
                    `mistakes/${version.padStart(2, '0')}-`));
                const told = readFileSync(path.join(OUT, page), 'utf8')
                    .match(/class="schedule">([^]*?)<\/ol>/)[1];
                assert.equal(told.match(/<li>/g).length,
                    walked.shortest().length, page);
            }
        }
    }
    assert.deepEqual(numbers.sort((a, b) => a - b),
        [1, 2, 3, 4, 5, 6, 7, 8, 35, 36, 37, 38, 39]);
});

test('each mistake says why it fails, and what the labs\' test says', () => {
    const all = mistakes(ROOT);
    const known = all.filter((m) => {
        const text = readFileSync(path.join(OUT, m.page), 'utf8');
        const order = ['How it shows', 'A hint', 'The wrong code',
            'Why it fails', 'Mended'].map((what) => text.indexOf(what));
        assert.deepEqual([...order].sort((a, b) => a - b), order, m.page);
        const [, steps] = text.match(/class="schedule">([^]*?)<\/ol>/) ?? [];
        assert.ok(steps?.match(/<li>/g).length >= 2, m.page);
        assert.ok(text.lastIndexOf('class="wrong"') > order[4] ||
            text.lastIndexOf('class="right"') > order[4], m.page);
        const said = text.match(/class="graded">([^]*?)<\/details>/)?.[1];
        assert.ok(said === undefined || (said.includes(m.caughtBy[0]) &&
            /Observed<[^]*It means<[^]*Look\s+at</.test(said)), m.page);
        return said !== undefined;
    });
    // Whose code has changed since has to be graded again: seen.py.
    assert.ok(known.length >= all.length * .75, `${known.length} are known`);
});

test('what a compiler makes of await: with a stack, without, and what fails',
    () => {
        assert.equal(demonstrated(BIN, 'called'),
            'the answer is 0\nthe answer is 42\n');
        assert.equal(demonstrated(BIN, 'local'), 'count is 0\ncount is 0\n');
        assert.equal(demonstrated(BIN, 'inner'), 'kind 1 goes on\n');
        const bytes = size(ROOT);
        const text = readFileSync(path.join(OUT, 'columns/stackless.html'),
            'utf8');
        const code = text.replace(/<[^>]*>/g, '').replaceAll('&amp;', '&')
            .replaceAll('&lt;', '<').replaceAll('&gt;', '>');
        for (const [file, name] of [['stackless.c', 'go_on'],
            ['stackless.c', 'request'], ['minimal.c', 'work'],
            ['minimal.c', 'step_receive']])
            assert.ok(code.includes(definition(`evloop/coroutines/${file}`,
                name).code), name);
        assert.match(code, new RegExp(`\\b${bytes} bytes`));
        assert.match(readFileSync(path.join(SLIDES, 'lecture/07-asyncio.md'),
            'utf8'), new RegExp(`in a struct: ${bytes} bytes`));
        // At first one awaits bytes, and two their turn; the first is done first.
        const rows = [...text.match(/class="remembers">([^]*?)<\/table>/)[1]
            .matchAll(/<tr><th scope="row">([^]*?)<\/tr>/g)].map(([, row]) =>
            [...row.matchAll(/<td[^>]*>([^]*?)<\/td>/g)].map((m) =>
                m[1].replace(/<[^>]*>/g, '')));
        assert.deepEqual(rows[0], ['line 1, awaits POLLIN: bytes',
            'line 1, awaits 0: the turn', 'line 1, awaits 0: the turn']);
        assert.match(rows.at(-1)[0], /^free/);
        for (const from of ['columns/await.html', 'columns/index.html',
            'columns/minimal.html', 'start.html', 'lecture/index.html',
            'reading.html'])
            assert.match(readFileSync(path.join(OUT, from), 'utf8'),
                /href="[^"]*stackless\.html"/, from);
    });

test('the reader makes the queue fail by clicking, and not the right one',
    () => withContext(WIDE, async (context) => {
        const { tab } = await open(context, 'scheduler.html');
        const says = () => tab.locator('[data-is=told]').innerText();
        const step = (thread) => tab.locator(`.thread.t${thread} button`)
            .first().click();
        // A waits; an item is put and A signalled, but B is faster.
        for (const thread of [1, 1, 1, 3, 3, 3, 2, 2, 2, 1, 1])
            await step(thread);
        assert.match(await says(), /taker A: signal not_full/);
        await step(3);
        assert.match(await says(), /It fails\. Failed check: .*A has 0/);
        assert.ok(await tab.locator('.scheduler.failed').isVisible());
        await tab.keyboard.press('ArrowLeft');
        assert.ok(!await tab.locator('.scheduler.failed').isVisible());
        // By its keys: the shortest way, forward to its end.
        await tab.keyboard.press('w');
        while (await tab.locator('[data-is=forward]').isEnabled())
            await tab.keyboard.press('ArrowRight');
        assert.match(await says(), /It fails/);
        // By hints alone.
        await tab.goto(`${url('scheduler.html')}#mistake-37`);
        // The page is not loaded again, but hears of it, a moment later.
        await tab.locator('[data-is=scene]', { hasText: 'Mistake 37' })
            .waitFor();
        await tab.keyboard.press('h');
        assert.match(await says(), /It can fail from here, in \d+ steps/);
        await tab.keyboard.press('h');
        assert.match(await says(), /^(taker A|taker B|producer) goes on/);
        // The right one: whatever is clicked.
        await tab.locator('[name=version][value=right]').check();
        assert.match(await says(), /it does not fail: there are \d+ states/);
        const seen = await tab.evaluate(() => {
            const ends = [];
            let state = 7;
            for (let run = 0; run < 50; run++) {
                document.querySelector('[data-is=begin]').click();
                for (let n = 0; n < 200; n++) {
                    const all = document.querySelectorAll('.thread button');
                    if (all.length === 0)
                        break;
                    state = (state * 1103515245 + 12345) % 2 ** 31;
                    all[state % all.length].click();
                }
                ends.push(document.querySelector('[data-is=told]').innerText);
            }
            return ends;
        });
        assert.deepEqual(seen.filter((s) => !/all is well/.test(s)), []);
    }));

test('the loop is gone through turn by turn, beside the threads', () =>
    withContext(WIDE, async (context) => {
        const { tab } = await open(context, 'turn.html');
        const shown = () => tab.locator('.turn-of:visible').innerText();
        const seen = [await shown()];
        while (await tab.locator('[data-is=next]').isEnabled()) {
            await tab.keyboard.press('ArrowRight');
            seen.push(await shown());
        }
        assert.ok(seen.length > 5 && new Set(seen).size === seen.length);
        assert.match(seen[0], /step_connect/);
        // The second answer is there, and has to wait for its turn.
        assert.ok(seen.some((s) => /\n2\s+receive\s+\d+ bytes/.test(s) &&
            /\n1\s+receive\s+none/.test(s)), seen.join('\n\n'));
        assert.match(seen.at(-1), /3\s+nothing: it is done/);
        assert.ok(seen.some((s) => /asleep in recv/.test(s)));
        await tab.locator('[data-is=back]').click();
        assert.equal(await shown(), seen.at(-2));
    }));

test('the theme is chosen and stays', async () => {
    await withContext({ colorScheme: 'light' }, async (context) => {
        const { tab } = await open(context, 'index.html');
        const paper = () => tab.evaluate(() =>
            getComputedStyle(document.body).backgroundColor);
        const light = await paper();
        await tab.locator('#theme').click();
        const dark = await paper();
        assert.notEqual(dark, light);
        await tab.goto(url('columns/index.html'));
        assert.equal(await paper(), dark);
    });
});

// --- What is broken --------------------------------------------------------

const TREE = ['common', 'threads', 'processes', 'evloop', 'puzzles', 'run',
    'README.md', 'CMakeLists.txt', 'CMakePresets.json', 'tests', 'slides'];

function copyTree() {
    const to = mkdtempSync(path.join(tmpdir(), 'triptych-broken-'));
    for (const name of TREE)
        cpSync(path.join(ROOT, name), path.join(to, name), { recursive: true,
            filter: (from) => !/\/(corpus|node_modules)$/.test(from) });
    return to;
}

test('what is not so fails the build, which says what', () => {
    const tree = copyTree();
    const edit = (file, from, to) => {
        const at = path.join(tree, file);
        const text = existsSync(at) ? readFileSync(at, 'utf8') : from;
        assert.ok(text.includes(from), `${file}: ${from}`);
        mkdirSync(path.dirname(at), { recursive: true });
        writeFileSync(at, from === '' ? to : text.replaceAll(from, to));
    };
    try {
        edit('threads/places.c', 'place_wait_turn', 'place_await_turn');
        edit('evloop/request.c', 'step_expire', 'step_finish');
        edit('slides/steps/09-retry.md', 'evloop/request.c step_retry',
            'evloop/request.c on_timer');
        edit('slides/steps/02-take.md', '## The step, where jobs go to',
            'See `queue_pop`, `threads/quue.c`, [a](../no.md), `./run sight`, ' +
            '`fetch-evloop --loop 2`, {{figure smal evloop rate}}: 10,000 ' +
            'requests/s.\n\n## The step, where jobs go to');
        edit('slides/mistakes/why.md', '## 9\n', '## 999\n');
        edit('common/lab/broken/handout.md', '', '# A lab\n\n' +
            'Write `queue_tkae`; see [this](../../none.c).\n');
        const result = build(path.join(tree, 'site'), { TRIPTYCH_ROOT: tree });
        assert.equal(result.status, 1, result.stdout);
        for (const what of [/threads\/places\.c has no place_wait_turn/,
            /evloop\/request\.c has no step_expire/,
            /retry does not show step_retry of evloop\/request\.c/,
            /02-take\.md:\d+: the source has no queue_pop/,
            /there is no file threads\/quue\.c/, /link to \.\.\/no\.md/,
            /run has no command sight/, /fetch-evloop has no option --loop/,
            /no workload smal/, /a figure is typed: "10,000 requests\/s"/,
            /why\.md: there is no mistake 999/,
            /why\.md does not say why mistake 9 fails/,
            /handout\.md:3: the source has no queue_tkae/,
            /handout\.md:3: the link to \.\.\/\.\.\/none\.c/])
            assert.match(result.stderr, what);
        assert.ok(!existsSync(path.join(tree, 'site')), 'there is no site');
    } finally {
        rmSync(tree, { recursive: true });
    }
});

test('links that lead nowhere, and what is loaded from elsewhere', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-links-'));
    try {
        writeFileSync(path.join(folder, 'a.html'), '<p id="x" class="y">' +
            '<a href="b.html#here">1</a><a href="b.html#gone">2</a>' +
            '<a href="c.html">3</a><a href="#x">4</a><i id="x"></i>' +
            '<script src="https://cdn.example/x.js"></script>' +
            '<a href="https://example.org/">fine</a>');
        writeFileSync(path.join(folder, 'b.html'), '<p id="here">');
        assert.deepEqual(checkLinks(folder, []).sort(), [
            'a.html: href="c.html" leads nowhere',
            'a.html: script loads https://cdn.example/x.js',
            'a.html: the id x stands twice',
            'a.html: there is no #gone in b.html']);
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test('the source is cut where its items are', () => {
    for (const file of allFiles()) {
        const whole = read(file);
        assert.equal(tokens(whole.text).map((t) => t.text).join(''),
            whole.text, file);
        for (const item of whole.items)
            assert.ok(item.kind === 'enum' || item.name, `${file}:${item.first}`);
        // A function's definition begins in the first column and so does its
        // end: as many as grep would find.
        const ends = whole.lines.filter((l, i) => l === '}' &&
            whole.lines[i - 1] !== '#ifdef __cplusplus').length;
        assert.equal(whole.items.filter((i) => i.kind === 'function').length,
            ends, file);
    }
    const put = definition('threads/queue.c', 'queue_put');
    assert.match(put.code, /^int queue_put\([^]*\n}$/);
    assert.equal(definition('common/trace.h', 'STEP_SEND').name, 'step');
    // What has an attribute is named by its name.
    assert.equal(definition('common/tls_module.h', 'triptych_tls_module').comment,
        'All that it exports.');
    assert.match(definition('threads/fetch.c', 'step_finish').comment,
        /^Step finish: records/);
    assert.ok(!has('threads/queue.c', 'queue_pop'));
});

test('markers give code and figures; unknown ones are named', () => {
    const problems = [];
    const text = expand('{{code threads/queue.c queue_free}} {{constant ' +
        'common/blocking.h BLOCKING_CHUNK}} {{figure small evloop rate}}',
    'x.md', problems);
    assert.deepEqual(problems, []);
    assert.match(text, /void queue_free\(struct queue \*queue\)/);
    assert.match(text, /64 KiB [\d,.]+ requests\/s/);
    assert.equal(expand('{{workload tail slow_ms}} {{workload tail delay}} ' +
        '{{workload small jobs}} {{workload tail foo}}', 'x.md', problems),
    '500 10 64 {{workload tail foo}}');
    assert.match(problems.pop(), /says no foo of tail/);
    expand('{{code threads/queue.c nothing}}\n{{foo bar}}', 'x.md', problems);
    assert.deepEqual(problems, ['x.md:1: threads/queue.c has no nothing',
        'x.md:2: there is no marker foo']);
    const found = check('```sh\n./run dmeo\n```\n', 'x.md', []);
    assert.deepEqual(found, ['x.md:2: run has no command dmeo']);
    assert.equal(spanProblem('fetch-threads -n --high-water 64K URL'), undefined);
    const { PATH } = process.env;
    process.env.PATH = ''; // what is installed does not matter
    assert.equal(spanProblem('perf'), undefined);
    assert.equal(spanProblem('ss -tim'), undefined);
    process.env.PATH = `${PATH}`;
    assert.match(spanProblem('tac'), /has no tac/);
    assert.match(spanProblem('fetch-threads --hihg-water 64K'), /no option/);
});

test('figures are of a benchmark of all workloads, or those published', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'triptych-figures-'));
    const put = (name, ...workloads) => {
        mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
        writeFileSync(path.join(folder, name), ['# a note', 'workload\tround',
            ...workloads.map((w) => `${w}\t1`), ''].join('\n'));
    };
    const used = () => path.relative(folder, resultsFile(folder));
    const fresh = 'build/bench/results.tsv';
    const published = 'slides/data/results.tsv';
    try {
        put(published, 'small', 'c10k');
        assert.equal(used(), published);
        delete process.env.TRIPTYCH_FIGURES;
        assert.equal(used(), published);
        put(fresh, 'c10k');
        assert.equal(used(), published);
        put(fresh, 'c10k', 'small');
        assert.equal(used(), fresh);
        process.env.TRIPTYCH_FIGURES = 'published';
        assert.equal(used(), published);
    } finally {
        process.env.TRIPTYCH_FIGURES = 'published';
        rmSync(folder, { recursive: true });
    }
});

test('a mistake is a diff of the whole function', () => {
    assert.deepEqual(diff('a\nb\nc', 'a\nB\nc'), [
        { sign: ' ', text: 'a' }, { sign: '-', text: 'b' },
        { sign: '+', text: 'B' }, { sign: ' ', text: 'c' }]);
});

test('a site for a course shows no body that a lab asks for', () => {
    const names = asked(ROOT);
    assert.ok([...names.values()].reduce((n, s) => n + s.size, 0) > 30);
    for (const [file, all] of names)
        for (const name of all)
            definition(file, name); // or it is folded under another name
    // Lines of theirs that stand nowhere else in the source, as they are shown.
    const bodies = [...names].flatMap(([file, all]) => [...all].flatMap((name) =>
        definition(file, name).code.split('\n').slice(1).map((l) => l.trim())
            .filter((l) => l.length > 25 && !l.startsWith('*'))));
    const rest = allFiles().map((file) => {
        const { text, items } = read(file);
        return names.has(file) ? fold(text, items, names.get(file)) : text;
    }).join('\n') + readdirSync(SLIDES, { recursive: true })
        .filter((f) => /\.(c|md)$/.test(f) && !f.startsWith('node_modules'))
        .map((f) => readFileSync(path.join(SLIDES, f), 'utf8')).join('\n');
    const secret = [...new Set(bodies)].filter((l) => !rest.includes(l));
    assert.ok(secret.length > 200, `${secret.length} lines`);
    const out = path.join(BIN, 'course');
    const result = build(out, {}, '--course');
    assert.equal(result.status, 0, result.stdout + result.stderr);
    const shown = (folder) => readdirSync(folder, { recursive: true })
        .filter((f) => /\.(html|js)$/.test(f))
        .map((f) => readFileSync(path.join(folder, f), 'utf8')
            .replace(/<[^>]*>/g, '').replaceAll('&lt;', '<')
            .replaceAll('&gt;', '>').replaceAll('&quot;', '"')
            .replaceAll('&amp;', '&')).join('\n');
    const usual = shown(OUT);
    assert.ok(secret.filter((l) => usual.includes(l)).length >
        secret.length * .9, 'the usual site shows them');
    const text = shown(out);
    assert.deepEqual(secret.filter((l) => text.includes(l)), []);
    assert.ok(text.includes(FOLDED.trim()));
});

test('the libraries are those of the lock file', () => {
    const lock = JSON.parse(readFileSync(path.join(SLIDES, 'package-lock.json'),
        'utf8')).packages;
    const asked = JSON.parse(readFileSync(path.join(SLIDES, 'package.json'),
        'utf8'));
    for (const [name, version] of Object.entries({ ...asked.dependencies,
        ...asked.devDependencies })) {
        assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is pinned`);
        assert.equal(lock[`node_modules/${name}`].version, version, name);
        assert.ok(lock[`node_modules/${name}`].integrity, name);
    }
    execFileSync('sh', ['-n', path.join(ROOT, 'run')]);
});
