// links: every link of every page leads somewhere in the site, and nothing is
// loaded from elsewhere.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

function htmlFiles(folder) {
    return readdirSync(folder, { recursive: true })
        .filter((name) => name.endsWith('.html'));
}

function unescape(text) {
    return text.replaceAll('&amp;', '&').replaceAll('&quot;', '"')
        .replaceAll('&lt;', '<').replaceAll('&gt;', '>');
}

// What a page is made of, without scripts: text in them is no markup.
function markup(text) {
    return text.replace(/(<script\b[^>]*>)[^]*?<\/script>/g, '$1')
        .replace(/<!--[^]*?-->/g, '');
}

export function checkLinks(out, problems) {
    const ids = new Map(); // file -> ids
    const idsOf = (file) => {
        if (!ids.has(file))
            ids.set(file, new Set([...markup(readFileSync(file, 'utf8'))
                .matchAll(/\s(?:id|name)="([^"]*)"/g)].map((m) => unescape(m[1]))));
        return ids.get(file);
    };
    for (const page of htmlFiles(out)) {
        const file = path.join(out, page);
        const text = markup(readFileSync(file, 'utf8'));
        const seen = new Set();
        const twice = new Set();
        for (const [, id] of text.matchAll(/\sid="([^"]*)"/g)) {
            if (seen.has(id))
                twice.add(id);
            seen.add(id);
        }
        for (const id of twice)
            problems.push(`${page}: the id ${id} stands twice`);
        for (const [, element, attribute, raw] of text.matchAll(
            /<(\w+)[^>]*?\s(href|src)="([^"]*)"/g)) {
            const target = unescape(raw);
            if (/^(https?:|mailto:)/.test(target)) {
                if (element !== 'a')
                    problems.push(`${page}: ${element} loads ${target}`);
                continue;
            }
            if (target.startsWith('data:'))
                continue;
            const [name, hash] = target.split('#');
            const to = name === '' ? file
                : path.resolve(path.dirname(file), decodeURI(name));
            if (!existsSync(to) || !statSync(to).isFile())
                problems.push(`${page}: ${attribute}="${target}" leads nowhere`);
            else if (hash && to.endsWith('.html') &&
                !idsOf(to).has(decodeURIComponent(hash)))
                problems.push(`${page}: there is no #${hash} in ${name}`);
        }
    }
    return problems;
}
