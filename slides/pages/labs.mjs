// labs: the hand-outs, for students.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { escape } from '../lib/highlight.mjs';
import { markdown } from '../lib/markdown.mjs';

const INDEX = 'labs/index.html';

export const section = { title: 'Labs', href: INDEX, folder: 'labs/',
    says: 'the hand-outs, for students', order: 50 };

function folders(root) {
    const common = path.join(root, 'common/lab');
    return [...(existsSync(common) ? readdirSync(common)
        .map((name) => `common/lab/${name}`) : []),
    'threads/lab', 'processes/lab', 'evloop/lab']
        .filter((folder) => existsSync(path.join(root, folder, 'handout.md')));
}

// [{file, name, page, title, number, text}], in the order of their numbers.
function handouts(root) {
    return folders(root).map((folder) => {
        const file = `${folder}/handout.md`;
        const text = readFileSync(path.join(root, file), 'utf8');
        const toml = path.join(root, folder, 'lab.toml');
        const about = existsSync(toml) ? readFileSync(toml, 'utf8') : '';
        const name = folder.startsWith('common') ? path.basename(folder)
            : folder.split('/')[0];
        return { file, name, text, page: `labs/${name}.html`,
            number: Number(about.match(/^number *= *(\d+)/m)?.[1] ?? 99),
            title: about.match(/^title *= *"(.*)"/m)?.[1] ??
                text.match(/^# (.*)$/m)?.[1] ?? name };
    }).sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
}

export function wanted(site) {
    if (folders(site.root).length > 0)
        return true;
    site.say('There are no hand-outs of labs: no pages of them');
    return false;
}

export function announce(site) {
    for (const lab of handouts(site.root))
        site.sources.set(lab.file, lab.page);
}

export async function make(site) {
    const all = handouts(site.root);
    for (const lab of all) {
        const heads = [];
        const text = markdown(site, lab.text,
            { file: lab.file, page: lab.page, heads, lowest: 1 });
        const parts = heads.filter((h) => h.level === 2);
        const toc = parts.length < 3 ? '' : `<details class="toc"><summary>On
this page</summary><ul>${parts.map((h) => `<li><a href="#${h.id}">${
            escape(h.text.replaceAll('`', ''))}</a></li>`).join('')}</ul></details>`;
        const title = heads[0]?.level === 1 ? ''
            : `<h1>${escape(lab.title)}</h1>`;
        site.page({ page: lab.page, title: lab.title, kind: 'handout', body: `
<p class="crumbs"><a href="../${INDEX}">Labs</a></p>
${title}${text.replace(/(<\/h1>)/, `$1\n${toc}`)}` });
    }
    site.page({ page: INDEX, title: 'Labs', body: `
<h1>Labs</h1>
<p class="lead">Labs 1 to 4 are cut from the source that these pages show: the
comment above a function stays as its specification, the body is yours. In the
last one you predict, measure and explain.</p>
<ol class="contents">${all.map((lab) => `<li value="${lab.number}"><a href="../${
        lab.page}">${escape(lab.title)}</a></li>`).join('')}</ol>` });
}
