// markdown: from a Markdown text of the project to HTML. Its markers are
// expanded and what it says is checked; names and paths in backticks become
// links to the annotated source, code blocks are highlighted.
import MarkdownIt from 'markdown-it';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { checked } from './check.mjs';
import { code, escape } from './highlight.mjs';
import { linker, resolve, sourceHref } from './names.mjs';
import { allFiles, definition } from './source.mjs';

export function slug(text) {
    return text.toLowerCase().replace(/<[^>]*>|&\w+;/g, '')
        .replace(/[^\w]+/g, '-').replace(/^-|-$/g, '');
}

// The address of a source file's page, or of a name's definition.
function addressOf(span, root) {
    const name = span.replace(/\(\)$/, '');
    if (allFiles(root).includes(name))
        return `source/${name}.html`;
    const tag = name.match(/^(struct|enum) (\w+)$/);
    const entry = tag ? resolve(undefined, tag[2], [tag[1]], root)
        : /^\w+$/.test(name) && (/[_A-Z]/.test(name) || span.endsWith('()'))
            ? resolve(undefined, name, undefined, root) : undefined;
    return entry && sourceHref(entry);
}

// Code from the source: a caption that leads to it.
export function quoted(site, page, file, name, text) {
    const up = site.up(page);
    const item = definition(file, name, site.root);
    const entry = resolve(file, item.name, undefined, site.root);
    return `<figure class="quote"><figcaption><a href="${up}${
        sourceHref(entry)}">${file}: <b>${item.name}</b></a></figcaption>` +
        `<pre tabindex="0"><code>${code(text ?? item.full, 'c',
            linker(file, up, item, site.root))}</code></pre></figure>`;
}

// `file` is where the text comes from, `page` where the HTML goes. `heads`,
// an array, gets the headings: {level, id, text}.
export function markdown(site, text, { file, page, heads = [], lowest = 2 }) {
    const up = site.up(page);
    const ready = checked(text, file, site.problems, site.root);
    const md = new MarkdownIt({ html: false, linkify: false, typographer: true,
        quotes: '“”‘’' });
    const rules = md.renderer.rules;
    const used = new Set();

    rules.code_inline = (list, i) => {
        const span = list[i].content;
        const address = list.isInLink ? undefined : addressOf(span, site.root);
        const inner = `<code>${escape(span)}</code>`;
        return address ? `<a class="name" href="${up}${address}">${inner}</a>`
            : inner;
    };
    rules.fence = (list, i) => {
        const [language, ...more] = list[i].info.trim().split(/\s+/);
        const facts = Object.fromEntries(more.map((m) => m.split('=')));
        const body = list[i].content.replace(/\n$/, '');
        if (facts.source)
            return quoted(site, page, facts.source, facts.name, body);
        return `<pre tabindex="0"><code>${code(body, language)}</code></pre>\n`;
    };
    rules.code_block = (list, i) =>
        `<pre tabindex="0"><code>${escape(list[i].content.replace(/\n$/, ''))
        }</code></pre>\n`;
    rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
    // A heading with nothing in it is none.
    rules.th_open = (list, i, options, env, self) => {
        const isEmpty = list[i + 1].content === '';
        list[i].tag = list[i + 2].tag = isEmpty ? 'td' : 'th';
        return self.renderToken(list, i, options);
    };
    rules.table_close = () => '</table></div>\n';

    const parsed = md.parse(ready, {});
    parsed.forEach((token, i) => {
        if (token.type === 'heading_open') {
            const inner = parsed[i + 1].content;
            const level = Math.max(Number(token.tag[1]), lowest);
            let id = slug(inner);
            while (used.has(id))
                id += '-';
            used.add(id);
            token.attrSet('id', id);
            token.tag = parsed[i + 2].tag = `h${level}`;
            heads.push({ level, id, text: inner });
        }
        for (const link of token.children ?? []) {
            if (link.type === 'link_open')
                retarget(site, link, file, up);
        }
    });
    return md.renderer.render(parsed, md.options, {});
}

// A link to a file of the tree becomes one to its page.
function retarget(site, link, file, up) {
    const target = link.attrGet('href');
    if (/^(https?:|mailto:|#)/.test(target))
        return;
    if (target.startsWith('site:')) {
        link.attrSet('href', up + target.slice(5));
        return;
    }
    const [name, hash] = target.split('#');
    const to = path.posix.normalize(path.posix.join(path.posix.dirname(file),
        name));
    const page = site.pageOf(to, hash);
    if (page !== undefined)
        link.attrSet('href', up + page);
    else if (existsSync(path.join(site.root, to)) &&
        statSync(path.join(site.root, to)).isFile())
        site.problems.push(`${file}: the site has no page for ${to}: name it ` +
            'in backticks instead of linking it');
}
