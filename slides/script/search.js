// Search over the names and the comments of the source.
(function () {
    'use strict';
    var form = document.getElementById('search');
    var query = document.getElementById('query');
    var list = document.getElementById('results');
    var found = document.getElementById('found');
    var up = document.body.dataset.up;
    var most = 30;
    var index = new MiniSearch({
        fields: ['name', 'parts', 'text'],
        storeFields: ['name', 'kind', 'file', 'anchor', 'text'],
        searchOptions: { boost: { name: 6, parts: 3 }, prefix: true,
            fuzzy: 0.15, combineWith: 'AND' },
    });
    index.addAll(window.TRIPTYCH_NAMES.map(function (row, i) {
        return { id: i, name: row[0], parts: row[0].replace(/[_/.]/g, ' '),
            kind: row[1], file: row[2], anchor: row[3], text: row[4] };
    }));

    function around(text, terms) {
        var low = text.toLowerCase();
        var at = -1;
        terms.forEach(function (term) {
            var here = low.indexOf(term);
            if (here !== -1 && (at === -1 || here < at))
                at = here;
        });
        var from = Math.max(0, at - 50);
        return (from > 0 ? '…' : '') + text.slice(from, from + 140) +
            (from + 140 < text.length ? '…' : '');
    }

    function show() {
        var text = query.value.trim();
        var hits = text === '' ? [] : index.search(text);
        list.textContent = '';
        found.textContent = text === '' ? '' : hits.length === 0 ? 'Nothing found'
            : hits.length + ' found' + (hits.length > most
                ? ', the first ' + most + ' shown' : '');
        hits.slice(0, most).forEach(function (hit) {
            var item = document.createElement('li');
            var link = document.createElement('a');
            var where = document.createElement('span');
            var said = document.createElement('p');
            link.href = up + 'source/' + hit.file + '.html' +
                (hit.anchor ? '#' + hit.anchor : '');
            link.textContent = hit.name;
            where.textContent = hit.kind === 'file' ? 'file'
                : (hit.kind === 'prototype' ? 'declared' : hit.kind) + ', ' +
                    hit.file;
            said.textContent = around(hit.text.replace(/\s+/g, ' '), hit.terms);
            item.append(link, ' ', where, said);
            list.append(item);
        });
    }

    form.hidden = false;
    query.addEventListener('input', show);
    form.addEventListener('submit', function (event) {
        event.preventDefault();
        var first = list.querySelector('a');
        if (first)
            first.click();
    });
    var asked = decodeURIComponent(location.hash.slice(1));
    if (asked.indexOf('q=') === 0)
        query.value = asked.slice(2);
    show();
})();
