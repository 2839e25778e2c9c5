// The parser's page: a response is fed to it, piece by piece.
(function () {
    'use strict';
    var root = document.querySelector('.parser');
    var code = document.getElementById('wasm');
    if (!root || !code)
        return;
    var find = function (name) {
        return root.querySelector('[data-is="' + name + '"]');
    };
    var states = JSON.parse(root.dataset.states);
    var wants = JSON.parse(root.dataset.wants);
    var examples = JSON.parse(document.getElementById('examples').textContent);
    var parser = globalThis.triptychParser(Uint8Array.from(
        atob(code.textContent.trim()), function (c) {
            return c.charCodeAt(0);
        }));
    var bytes = new Uint8Array(0);
    var ends = []; // of the pieces
    var done = 0; // pieces that were fed
    var closed = false;

    // "\r\n" as somebody types it, and a bar for a split.
    function read(text) {
        var out = [];
        var splits = [];
        var encoder = new TextEncoder();
        var known = { r: 13, n: 10, t: 9, '\\': 92, '|': 124 };
        var pattern = /\\x([0-9a-fA-F]{2})|\\([rnt\\|])|\r?\n|\||[^]/gu;
        var found;
        while ((found = pattern.exec(text)) !== null) {
            if (found[1])
                out.push(parseInt(found[1], 16));
            else if (found[2])
                out.push(known[found[2]]);
            else if (found[0] === '|')
                splits.push(out.length);
            else if (!/^\r?\n$/.test(found[0])) // a line is broken to be read
                out.push.apply(out, encoder.encode(found[0]));
        }
        return { bytes: Uint8Array.from(out).subarray(0, parser.most),
            splits: splits };
    }

    function shownByte(b) {
        return b === 13 ? '\\r' : b === 10 ? '\\n' : b === 32 ? '\u00a0'
            : b > 32 && b < 127 ? String.fromCharCode(b)
                : '\\x' + (b < 16 ? '0' : '') + b.toString(16);
    }

    function cut() {
        var given = read(find('text').value);
        var size = Number(find('size').value) || 0;
        bytes = given.bytes;
        ends = given.splits.filter(function (at) {
            return at > 0 && at < bytes.length;
        });
        for (var at = size; size > 0 && at < bytes.length; at += size)
            ends.push(at);
        ends.push(bytes.length);
        ends = Array.from(new Set(ends)).sort(function (a, b) {
            return a - b;
        });
        if (bytes.length === 0)
            ends = [];
        find('where').max = ends.length + (find('closes').checked ? 1 : 0);
    }

    // All from the beginning: it is fast, and so one can go back.
    function feedTo(count) {
        var spans = [];
        var last = null;
        parser.load(bytes);
        last = parser.look();
        for (var i = 0; i < Math.min(count, ends.length); i++) {
            last = parser.look();
            spans.push.apply(spans, parser.feed(ends[i] -
                (i === 0 ? 0 : ends[i - 1])).spans);
            if (parser.look().at < ends[i])
                break; // it takes no more
        }
        closed = count > ends.length;
        if (closed) {
            last = parser.look();
            parser.close();
        }
        done = count;
        return { before: last, spans: spans };
    }

    function drawBytes(spans, look) {
        var box = find('bytes');
        var from = done > 0 && done <= ends.length ? (ends[done - 2] || 0) : -1;
        var to = done > 0 && done <= ends.length ? ends[done - 1] : -1;
        var body = new Set();
        spans.forEach(function (s) {
            for (var i = s[0]; i < s[1]; i++)
                body.add(i);
        });
        var splits = new Set(ends);
        box.textContent = '';
        bytes.forEach(function (b, i) {
            var cell = document.createElement('i');
            cell.textContent = shownByte(b);
            cell.className = (i < look.at ? 'fed' : 'ahead') +
                (body.has(i) ? ' body' : '') +
                (i >= from && i < to ? ' piece' : '') +
                (splits.has(i) && i > 0 && ends.length < bytes.length
                    ? ' split' : '') + (cell.textContent.length > 1 ? ' sign' : '');
            box.append(cell);
            if (b === 10)
                box.append(document.createElement('br'));
        });
    }

    function row(name, value) {
        find(name).textContent = value;
    }

    function draw() {
        var result = feedTo(Math.min(Number(find('where').value),
            Number(find('where').max)));
        var look = parser.look();
        var state = states[look.state];
        drawBytes(result.spans, look);
        root.querySelectorAll('.states li').forEach(function (item, i) {
            if (i === look.state)
                item.setAttribute('aria-current', 'step');
            else
                item.removeAttribute('aria-current');
        });
        row('want', wants[look.want]);
        row('status', look.status === 0 ? 'not known yet' : look.status);
        row('left', look.left < 0 ? 'not known' : look.left + ' bytes');
        row('kept', look.kept + ' bytes');
        row('head', !look.complete ? 'not complete'
            : (look.chunked ? 'chunked' : look.hasLength ? 'a length'
                : 'neither length nor chunks') + '; connection ' +
                (look.keepAlive ? 'may be kept' : 'ends with it'));
        row('spans', result.spans.length === 0 ? 'none' : result.spans
            .map(function (s) {
                return s[0] + ' to ' + (s[1] - 1);
            }).join(', '));
        var over = wants[look.want] === 'DONE' || wants[look.want] === 'CONNECT';
        var left = bytes.length - look.at;
        row('outcome', !over ? 'none yet' : look.result +
            (look.cause ? ': ' + look.cause : '') + '; ' + look.bytes +
            ' bytes of body' + (left > 0 && done >= ends.length
            ? '; ' + left + ' bytes behind its end: the connection is closed'
            : ''));
        var was = states[result.before.state];
        find('told').textContent = done === 0 ? 'Nothing is fed yet.'
            : (closed ? 'The server has closed. ' : 'Piece ' + done + ' of ' +
                ends.length + '. ') + (was === state ? 'It stays in ' + state
                : was + ' → ' + state) + '.';
        find('back').disabled = done === 0;
        find('next').disabled = find('end').disabled =
            done >= Number(find('where').max);
    }

    function begin() {
        cut();
        find('where').value = 0;
        draw();
    }

    function move(to) {
        find('where').value = to;
        draw();
    }

    function choose() {
        var example = examples[find('example').value];
        // One that is to be read, with its lines below each other.
        find('text').value = example.text.replace(/\\n(?=.)/g, '\\n\n');
        find('closes').checked = example.closes;
        find('size').value = example.text.includes('|') ? 0 : 1;
        begin();
    }

    find('example').addEventListener('change', choose);
    ['text', 'size', 'closes'].forEach(function (name) {
        find(name).addEventListener('input', begin);
    });
    find('where').addEventListener('input', draw);
    find('begin').addEventListener('click', function () { move(0); });
    find('back').addEventListener('click', function () { move(done - 1); });
    find('next').addEventListener('click', function () { move(done + 1); });
    find('end').addEventListener('click', function () {
        move(find('where').max);
    });
    root.hidden = false;
    choose();
})();
