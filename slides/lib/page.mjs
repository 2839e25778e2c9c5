// page: what all pages have around them.
import { mark } from './glossary.mjs';
import { escape } from './highlight.mjs';

// Before anything is drawn: the theme that was chosen last.
const THEME = `try{var t=localStorage.getItem('theme');
if(t)document.documentElement.dataset.theme=t}catch(e){}`;

function navigation(site, page, up) {
    const links = site.sections.map(({ title, href, folder, also }) => {
        const here = page === href ? ' aria-current="page"'
            : (folder && page.startsWith(folder)) || also?.includes(page) ? ' aria-current="true"' : '';
        return `<li><a href="${up}${href}"${here}>${escape(title)}</a></li>`;
    });
    return `<nav aria-label="The site"><ul>${links.join('')}</ul></nav>`;
}

// page: its path below build/site. title: plain text. body: HTML, the inside
// of <main>. styles, scripts: further files below build/site. kind: a class of
// <body>.
export function template(site, { page, title, body, kind = '', styles = [],
    scripts = [], head = '', words = true }) {
    const up = site.up(page);
    const name = page === 'index.html' ? 'triptych'
        : `${title} · triptych`;
    return `<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(name)}</title>
<link rel="icon" href="${up}style/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${up}style/fonts.css">
<link rel="stylesheet" href="${up}style/site.css">
${styles.map((s) => `<link rel="stylesheet" href="${up}${s}">\n`).join('')
}<script>${THEME}</script>
${head}</head>
<body class="${kind}" data-up="${up}">
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="home" href="${up}index.html">tript<i>y</i>ch</a>
${navigation(site, page, up)}
<div class="tools"><a class="find" href="${up}source/index.html">Search</a>
<button type="button" id="theme" hidden>Dark</button></div>
</header>
<main id="content" tabindex="-1">
${words ? mark(site.root, body, up) : body}
</main>
<footer class="foot"><p>Code, figures and timelines on these pages are taken
from the source, from a run of the benchmark and from real runs when the site is
built: <code>./run site</code>. MIT licence. Letters: IBM Plex
<a href="${up}style/ibm-plex-sans-licence.txt">Sans</a> and
<a href="${up}style/ibm-plex-mono-licence.txt">Mono</a>, SIL Open Font
License.</p></footer>
${scripts.map((s) => `<script src="${up}${s}"></script>\n`).join('')
}<script src="${up}script/site.js"></script>
</body>
</html>
`;
}
