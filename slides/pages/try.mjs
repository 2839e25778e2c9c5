// try: the pages that are operated.
import { PAGE as SCHEDULER } from './scheduler.mjs';

const PAGE = 'try.html';

const LIST = [
    ['scheduler.html', 'You are the scheduler',
        'The source’s own queue and pool, right and with mistakes. You decide ' +
        'which thread goes on: make it fail, or see why it cannot.'],
    ['turn.html', 'One turn of the loop',
        'A run of the smallest event loop, from one sleep to the next: what is ' +
        'ready, who is called, what each request remembers; and what threads ' +
        'do in a run of theirs.'],
    ['parser.html', 'The parser, byte by byte',
        'The source’s own parser and exchange. Choose a response, or a hostile ' +
        'one, split it where you like, and watch the state, the wants and the ' +
        'spans of the body.'],
    ['backpressure.html', 'Back-pressure',
        'The source’s own streams. Make the consumer slow, move the marks, ' +
        'forget to drain, and watch where the bytes wait.'],
];

export const section = { title: 'Try it', href: PAGE, order: 32,
    also: LIST.map(([page]) => page),
    says: 'the source’s own threads, parser and streams, to be operated in the ' +
        'page' };

// In a course's site there is no scheduler: it shows what the labs ask for.
const list = (site) => LIST.filter(([page]) =>
    page !== SCHEDULER || !site.course);

export async function make(site) {
    site.page({ page: PAGE, title: 'Try it', body: `
<h1>Try it</h1>
<p class="lead">The source itself, compiled for a page: no model of it, and
nothing that could drift from it. The tests hold each against the program.</p>
<ul class="doors">${list(site).map(([page, title, says]) => `<li><a href="${page}">${
        title}</a> <span>${says}</span></li>`).join('')}</ul>` });
}
