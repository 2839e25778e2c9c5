// fonts: the site's own letters, so that whoever opens it sees the same.
//
// IBM Plex Sans and IBM Plex Mono (SIL Open Font License 1.1), as woff2, cut
// down to the scripts of these pages. They stand in the style sheet itself: a
// browser may refuse a page from the file system a font in another file.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const FACES = [
    // family, package, part, weight, style
    ['IBM Plex Sans', 'ibm-plex-sans', 'latin', 400, 'normal'],
    ['IBM Plex Sans', 'ibm-plex-sans', 'latin', 400, 'italic'],
    ['IBM Plex Sans', 'ibm-plex-sans', 'latin', 700, 'normal'],
    ['IBM Plex Sans', 'ibm-plex-sans', 'latin', 700, 'italic'],
    ['IBM Plex Sans', 'ibm-plex-sans', 'greek', 400, 'normal'],
    ['IBM Plex Mono', 'ibm-plex-mono', 'latin', 400, 'normal'],
    ['IBM Plex Mono', 'ibm-plex-mono', 'latin', 400, 'italic'],
    ['IBM Plex Mono', 'ibm-plex-mono', 'latin', 700, 'normal'],
];

const require = createRequire(import.meta.url);

function file(name, ...parts) {
    return path.join(path.dirname(
        require.resolve(`@fontsource/${name}/package.json`)), ...parts);
}

// Where the licence of a package is, which goes with its fonts.
export function licences() {
    return [...new Set(FACES.map(([, name]) => name))].map((name) =>
        ({ name, file: file(name, 'LICENSE') }));
}

// The style sheet that declares them.
export function fontFaces() {
    const faces = FACES.map(([family, name, part, weight, style]) => {
        const ranges = JSON.parse(readFileSync(file(name, 'unicode.json')));
        const data = readFileSync(file(name, 'files',
            `${name}-${part}-${weight}-${style}.woff2`), 'base64');
        return `@font-face { font-family: '${family}'; font-weight: ${weight};
    font-style: ${style}; font-display: block;
    unicode-range: ${ranges[part]};
    src: url(data:font/woff2;base64,${data}) format('woff2'); }
`;
    });
    return `/* IBM Plex: copyright 2017, 2019 IBM Corp., SIL Open Font License,
 * Version 1.1: https://openfontlicense.org */
${faces.join('')}`;
}
