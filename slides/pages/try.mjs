// try: the pages that are operated.
const PAGE = 'try.html';

const LIST = [
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
    says: 'the source’s own parser and streams, to be operated in the page' };

export async function make(site) {
    site.page({ page: PAGE, title: 'Try it', body: `
<h1>Try it</h1>
<p class="lead">The source itself, compiled for a page: no model of it, and
nothing that could drift from it. The tests hold each against the program.</p>
<ul class="doors">${LIST.map(([page, title, says]) => `<li><a href="${page}">${
        title}</a> <span>${says}</span></li>`).join('')}</ul>` });
}
