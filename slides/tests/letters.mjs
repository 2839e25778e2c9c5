// letters: what pages are written in. All of it must be fonts that the site
// brings along: the same slide then has the same lines on every machine.
import { fontFaces } from '../lib/fonts.mjs';

const OURS = /^"?IBM Plex (Sans|Mono)"?, (sans-serif|monospace)$/;

// Runs in the page: which characters stand in which font: family|weight|style
// and the characters. Of each font one element that is seen gets an attribute.
// deep: with what style sheets add.
function inPage(deep) {
    const found = {};
    const skipped = ['SCRIPT', 'STYLE', 'TITLE', 'title', 'desc'];
    const add = (element, style, text) => {
        const key = `${style.fontFamily}|${style.fontWeight}|${style.fontStyle}`;
        if (found[key] === undefined || !found[key].seen) {
            const seen = element.getClientRects().length > 0;
            found[key] = { seen, chars: found[key]?.chars ?? new Set() };
            if (seen)
                element.setAttribute('data-face', '');
        }
        for (const char of text)
            found[key].chars.add(char);
    };
    const walker = document.createTreeWalker(document.documentElement,
        NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.data.trim();
        if (text !== '' && !skipped.includes(element.tagName))
            add(element, getComputedStyle(element), text);
    }
    for (const element of deep ? document.querySelectorAll('body *') : []) {
        for (const part of ['::before', '::after', '::marker']) {
            const style = getComputedStyle(element, part);
            const [, text] = style.content.match(/^"(.*)"$/) ?? [];
            if (text)
                add(element, style, text);
        }
    }
    return Object.entries(found).map(([key, { chars }]) =>
        [key, [...chars].join('')]);
}

// Of each element that the selector finds: the fonts not of the page.
async function strangers(tab, selector) {
    const session = await tab.context().newCDPSession(tab);
    await session.send('DOM.enable');
    await session.send('CSS.enable');
    const { root } = await session.send('DOM.getDocument');
    const { nodeIds } = await session.send('DOM.querySelectorAll',
        { nodeId: root.nodeId, selector });
    const all = [];
    for (const nodeId of nodeIds) {
        const { fonts } = await session.send('CSS.getPlatformFontsForNode',
            { nodeId });
        all.push(fonts.filter((font) => !font.isCustomFont)
            .map((font) => font.familyName));
    }
    await session.detach();
    return all;
}

// Adds the page's letters to `known`, a Map; returns what is wrong.
export async function letters(tab, known, deep = true) {
    await tab.evaluate(() => document.fonts.ready);
    const problems = [];
    for (const [key, chars] of await tab.evaluate(inPage, deep)) {
        if (!OURS.test(key.split('|')[0]))
            problems.push(`a font of the system is asked for: ${key}: ${
                chars.slice(0, 40)}`);
        known.set(key, new Set([...known.get(key) ?? [], ...chars]));
    }
    if (!deep)
        return problems;
    const strange = (await strangers(tab, '[data-face]')).flat();
    return [...problems, ...strange.map((name) => `is shown in ${name}`)];
}

// Every character of `known`, by itself, with nothing but the site's fonts.
export async function missing(tab, known) {
    const all = [...known].flatMap(([key, chars]) =>
        [...chars].filter((char) => char.trim() !== '')
            .map((char) => ({ key, char })));
    await tab.setContent(`<style>${fontFaces()}</style><body>${
        all.map(({ key, char }) => {
            const [family, weight, style] = key.split('|');
            return `<p style='font-family: ${family}; font-weight: ${weight
            }; font-style: ${style}'>&#${char.codePointAt(0)};</p>`;
        }).join('')}`);
    const faces = await tab.evaluate(async () => {
        await document.fonts.ready;
        return [...document.fonts].map((face) =>
            `${face.family.replaceAll('"', '')}|${face.weight}|${face.style}`);
    });
    const fonts = await strangers(tab, 'p');
    const problems = all.filter((_, i) => fonts[i].length > 0)
        .map(({ key, char }) => `no U+${char.codePointAt(0).toString(16)} ${
            char} in ${key}`);
    // The browser would make one up, by slanting or smearing another.
    for (const key of known.keys()) {
        const [family, weight, style] = key.split('|');
        const name = `${family.split(',')[0].replaceAll('"', '')}|${
            weight}|${style}`;
        if (!faces.includes(name))
            problems.push(`there is no font ${name}`);
    }
    return problems;
}
