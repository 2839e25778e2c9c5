// print: a deck as a PDF, by Chromium.
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

export const PATIENCE = 120_000; // ms: others may be using the machine

// Where Chromium is: CHROMIUM, or where Debian has it. undefined: nowhere.
export function chromiumPath() {
    return [process.env.CHROMIUM, '/usr/bin/chromium'].find((at) =>
        at && existsSync(at));
}

export function launch() {
    return chromium.launch({ executablePath: chromiumPath(), timeout: PATIENCE,
        args: ['--no-sandbox', '--allow-file-access-from-files'] });
}

// reveal.js lays all slides out one below the other when it is asked to, each
// on a page of the deck's size.
export async function print(deck, to) {
    const browser = await launch();
    try {
        const page = await browser.newPage({ colorScheme: 'light' });
        page.setDefaultTimeout(PATIENCE);
        await page.goto(`${pathToFileURL(deck)}?print-pdf`);
        await page.waitForFunction(() =>
            window.Reveal?.isReady() &&
            document.querySelectorAll('.pdf-page').length > 0);
        await page.pdf({ path: to, preferCSSPageSize: true,
            printBackground: true });
    } finally {
        await browser.close();
    }
}
