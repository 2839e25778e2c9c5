// race: replays a recording of triptych-race, slides/data/race.cast
// (asciicast v2), which stands in the page: a page from the file system may
// not load it.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { spanProblem } from '../lib/check.mjs';
import { escape } from '../lib/highlight.mjs';

const CAST = 'slides/data/race.cast';

export const section = { title: 'Race', href: 'race.html',
    says: 'the three models and the coroutines at once: a recording', order: 70 };

export function wanted(site) {
    if (existsSync(path.join(site.root, CAST)))
        return true;
    site.say(`There is no ${CAST}: no page of the race`);
    return false;
}

// The same events with no more digits than can be seen.
function leaner(text, problems) {
    const [head, ...events] = text.trimEnd().split('\n');
    const about = JSON.parse(head);
    if (about.version !== 2)
        problems.push(`${CAST}: version ${about.version}, and not 2`);
    return { about, text: [JSON.stringify({ version: 2, width: about.width,
        height: about.height }), ...events.map((line) => {
        const [time, kind, data] = JSON.parse(line);
        return JSON.stringify([Math.round(time * 1000) / 1000, kind, data]);
    })].join('\n') };
}

export async function make(site) {
    const problem = spanProblem('./run race', site.root);
    if (problem)
        site.problems.push(`slides/pages/race.mjs: ${problem}`);
    const cast = leaner(readFileSync(path.join(site.root, CAST), 'utf8'),
        site.problems);
    const player = path.join(site.tools,
        'node_modules/asciinema-player/dist/bundle');
    site.copy(path.join(player, 'asciinema-player.min.js'),
        'script/asciinema-player.js');
    // Its fonts are those of the site.
    site.file('style/asciinema-player.css', readFileSync(
        path.join(player, 'asciinema-player.css'), 'utf8')
        .replace(/(--term-font-family:)[^;]*/, '$1 var(--mono)')
        .replaceAll('font-family: sans-serif', 'font-family: var(--sans)')
        .replaceAll('font-weight: 600', 'font-weight: 700'));
    site.page({ page: 'race.html', title: 'The race', kind: 'race',
        styles: ['style/asciinema-player.css'],
        scripts: ['script/asciinema-player.js', 'script/race.js'], body: `
<h1>The race</h1>
<p class="lead">Four lanes: the three models and the coroutines, with the same requests;
each cell is a request and changes colour by step. <code>./run race</code> shows it live,
of your machine; this is a recording of the workload <code>${escape(
            cast.about.title.replace(/^triptych-race: /, ''))}</code>.</p>
<div id="race"><p>The recording is played by a script, which this browser does
not run.</p></div>
<p class="aside">Space plays and pauses; the arrow keys go back and forth.</p>
<script type="application/json" id="cast">${JSON.stringify(cast.text)
        .replaceAll('<', '\\u003c')}</script>` });
}
