// lanes: who works and who sleeps, drawn from slides/lanes/NAME.txt:
//
//     threads
//     thread A  |##zzzz##zzzz!##
//     thread B  |##zzzzzz##
//     moment 6: What happens in the world.
//     threads: What the threads do then.
//
// A sign is a tick of time: # or a letter works (the letter says for whom), z
// sleeps, a dot or nothing is not there. Work that follows on sleep begins with
// a mark: there something wakes it. A moment is explained for each model.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inlined } from './glossary.mjs';
import { escape } from './highlight.mjs';
import { MODELS, Missing } from './source.mjs';

const LANES = [...MODELS, 'coroutines'];
const SAYS = new RegExp(`^(${LANES.join('|')}): (.*)$`);

function parse(text, file) {
    const found = { groups: [], moments: [], ticks: 0 };
    for (const line of text.trimEnd().split('\n')) {
        const lane = line.match(/^(.*?) *\|(.*)$/);
        const moment = line.match(/^moment (\d+): (.*)$/);
        const says = line.match(SAYS);
        if (lane && found.groups.length > 0) {
            found.groups.at(-1).lanes.push({ name: lane[1], signs: lane[2] });
            found.ticks = Math.max(found.ticks, lane[2].length);
        } else if (LANES.includes(line)) {
            found.groups.push({ model: line, lanes: [] });
        } else if (moment) {
            found.moments.push({ at: Number(moment[1]), world: moment[2] });
        } else if (says && found.moments.length > 0) {
            found.moments.at(-1)[says[1]] = says[2];
        } else if (line !== '') {
            throw new Missing(`${file}: "${line}" is not understood`);
        }
    }
    return found;
}

// [{kind: 'on' | 'off', letter, from, to, woken}]
function pieces(signs) {
    const list = [];
    for (const [run] of signs.matchAll(/#+|([A-Z])\1*|z+|[. ]+/g)) {
        const from = list.at(-1)?.to ?? 0;
        const kind = run[0] === 'z' ? 'off' : /[. ]/.test(run[0]) ? '' : 'on';
        list.push({ kind, from, to: from + run.length,
            letter: /[A-Z]/.test(run[0]) ? run[0] : '',
            woken: kind === 'on' && list.at(-1)?.kind === 'off' });
    }
    return list;
}

const part = (value, whole) => `${Number((value * 100 / whole).toFixed(2))}%`;

function track(lane, ticks) {
    return pieces(lane.signs).filter((p) => p.kind !== '').map((p) =>
        `<i class="${p.kind}${p.woken ? ' woken' : ''}${
            p.to - p.from === 1 ? ' thin' : ''}" style="left:${
            part(p.from, ticks)};width:${part(p.to - p.from, ticks)}">${p.letter
        }</i>`).join('');
}

// In words, for who does not see it.
function inWords(group, ticks) {
    return group.lanes.map((lane) => {
        const off = [...lane.signs].filter((s) => s === 'z').length;
        return `${lane.name}: asleep for ${Math.round(off * 100 / ticks)}% of the time`;
    }).join('; ');
}

// The figure. With `plays` a script moves through its moments.
export function lanes(site, name, { plays = false } = {}) {
    const file = `slides/lanes/${name}.txt`;
    const { groups, moments, ticks } = parse(
        readFileSync(path.join(site.root, file), 'utf8'), file);
    for (const moment of moments) {
        const without = groups.find(({ model }) => !moment[model]);
        if (without)
            throw new Missing(`${file}: moment ${moment.at} lacks ${without.model}`);
    }
    const drawn = groups.map((group) => `<div class="group ${group.model}"
role="img" aria-label="${escape(`${group.model}: ${inWords(group, ticks)}`)}">
<b class="tag ${group.model}">${group.model}</b>${group.lanes.map((lane) =>
        `<div class="lane" data-signs="${lane.signs.padEnd(ticks, '.')
        }"><span class="who">${escape(lane.name)}</span><span class="track">${
            track(lane, ticks)}</span><span class="is"></span></div>`).join('')}</div>`);
    const told = moments.map((m) => `<li data-at="${m.at}"><p><b>${
        inlined(m.world)}</b></p><dl>${groups.map(({ model }) =>
        `<dt><b class="tag ${model}">${model}</b></dt><dd>${inlined(m[model])
        }</dd>`).join('')}</dl></li>`);
    return `<figure class="lanes${plays ? ' plays' : ''}" data-ticks="${ticks}">
<ul class="legend" aria-label="Signs" data-plain><li><i class="on"></i>at work</li><li><i
class="off"></i>asleep</li><li><i class="on woken"></i>something wakes it</li></ul>
${drawn.join('\n')}
${plays ? `<div class="bar" hidden><button type="button" class="go">Play</button>
<button type="button" class="back">Back</button>
<button type="button" class="next">Next</button><span class="at"></span></div>` : ''}
${told.length === 0 ? `<figcaption data-plain>A drawing, not a run: for those
see <a href="../timelines/index.html">Timelines</a>.</figcaption>` : `<ol class="moments">${told.join('\n')}</ol>`}
</figure>`;
}
