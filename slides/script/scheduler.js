// The page on which the reader is the scheduler.
(function () {
    'use strict';
    var root = document.querySelector('.scheduler');
    var given = document.getElementById('schedules');
    if (!root || !given)
        return;
    var data = JSON.parse(given.textContent);
    var find = function (name) {
        return root.querySelector('[data-is="' + name + '"]');
    };
    var make = function (tag, text, kind) {
        var e = document.createElement(tag);
        if (text !== undefined)
            e.textContent = text;
        if (kind)
            e.className = kind;
        return e;
    };
    var graph; // that is walked
    var scene;
    var version; // "right", or a mistake's number
    var walk = []; // steps
    var at = 0; // of them are done
    var hinted = -1; // the node whose hint was a distance

    function node(position) {
        return position === 0 ? 0 : walk[position - 1].to;
    }

    // "queue.c:58 queue_take"
    function placeOf(text) {
        var m = /^(.*):(\d+) (.*)$/.exec(text || '');
        return m && { file: m[1], line: Number(m[2]), name: m[3] };
    }

    function code(name) {
        return (data.code[version] || {})[name] || data.code.right[name];
    }

    // --- Words ---------------------------------------------------------------

    function done(step) {
        var list = step.steps.map(function (s) {
            return (s[0] === step.thread ? '' : graph.names[s[0]] + ' ') +
                s[1].replace(/^\((.*)\)$/, '$1');
        });
        return graph.names[step.thread] + ': ' + (list.length > 0
            ? list.join('; ') : 'begins');
    }

    function label(step, thread) {
        if (step.how === 'wakes')
            return 'Wakes for no reason';
        if (step.how === 'time')
            return 'Its time is up';
        return (thread.does === 'starts' ? 'Begin' : 'Go on: ' + thread.does) + (step.values.length === 0 ? ''
            : ', to ' + graph.names[step.values[0]]);
    }

    function outcome(to) {
        var end = graph.end(to);
        var where = [end.place, end.other].filter(Boolean).map(function (p) {
            var place = placeOf(p);
            return place ? place.name + ', line ' + place.line : p;
        });
        if (end.kind === 'passed')
            return 'The end: all is well. Try another order.';
        return 'It fails. ' + end.kind[0].toUpperCase() + end.kind.slice(1) +
            ': ' + end.message + (where.length > 0 ? ' (' + where.join('; ') +
            ')' : '') + '.';
    }

    function begins() {
        var can = graph.distance(0) < Infinity;
        return can ? 'Can you make it fail?'
            : 'Whatever you do, it does not fail: there are ' + graph.size +
                ' states, and all were looked at.';
    }

    // --- Drawing -------------------------------------------------------------

    function button(text, action) {
        var b = make('button', text);
        b.type = 'button';
        b.addEventListener('click', action);
        return b;
    }

    function drawThreads(now, over) {
        var box = find('threads');
        var focused = document.activeElement;
        var kept = box.contains(focused)
            ? focused.closest('li').dataset.thread : null;
        var threads = graph.threads(now);
        var edges = over ? [] : graph.edges(now);
        box.textContent = '';
        threads.forEach(function (t, i) {
            var card = make('li', undefined, 'thread t' + i + ' ' + t.is);
            var place = placeOf(t.place);
            card.dataset.thread = i;
            var head = make('h3');
            head.append(make('b', String(i), 'badge'), ' ' + t.name);
            card.append(head);
            var says = t.does === 'starts' ? 'has not begun'
                : t.is === 'can' ? 'can go on'
                : t.is === 'ended' ? 'has ended' : t.does;
            if (t.holds.length > 0)
                says += '; holds ' + t.holds.join(', ');
            card.append(make('p', says, 'does'));
            if (place && code(place.name)) {
                var line = code(place.name).lines[place.line -
                    code(place.name).first];
                var p = make('p', undefined, 'line');
                var c = make('code');
                c.innerHTML = (line || '').trim();
                p.append(place.name + ' ', c);
                card.append(p);
            }
            edges.filter(function (e) {
                return e.thread === i;
            }).forEach(function (e) {
                card.append(button(label(e, t), function () {
                    take(e);
                }));
            });
            box.append(card);
        });
        if (kept !== null) {
            var next = box.querySelector('[data-thread="' + kept +
                '"] button') || box.querySelector('button') || find('back');
            next.focus({ preventScroll: true });
        }
    }

    function drawValues(now) {
        var box = find('values');
        var owners = {};
        var waiting = {};
        graph.threads(now).forEach(function (t) {
            t.holds.forEach(function (lock) {
                owners[lock] = t.name;
            });
            var m = /^waits for a signal of (.*)$/.exec(t.does);
            if (m)
                (waiting[m[1]] = waiting[m[1]] || []).push(t.name);
        });
        box.textContent = '';
        var add = function (name, text, kind) {
            box.append(make('dt', name), make('dd', text, kind));
        };
        locks.forEach(function (lock) {
            add(lock, owners[lock] ? 'held by ' + owners[lock] : 'free',
                owners[lock] ? 'held' : '');
        });
        conditions.forEach(function (condition) {
            add(condition, waiting[condition]
                ? waiting[condition].join(', ') + ' asleep' : 'nobody waits',
            waiting[condition] ? 'asleep' : '');
        });
        graph.values(now).forEach(function (v) {
            add(v[0], v[1]);
        });
    }

    var locks = [];
    var conditions = [];

    // Names of locks and conditions, from what is said of them.
    function nameObjects() {
        var found = { lock: {}, wait: {} };
        for (var i = 0; i < graph.size; i++) {
            graph.threads(i).forEach(function (t) {
                t.holds.forEach(function (lock) {
                    found.lock[lock] = true;
                });
                var m = /^waits for a signal of (.*)$/.exec(t.does) ||
                    (t.is === 'can' && /^(?:signal|broadcast|wait) (.*)$/
                        .exec(t.does));
                if (m)
                    found.wait[m[1]] = true;
            });
        }
        locks = Object.keys(found.lock);
        conditions = Object.keys(found.wait);
    }

    function drawHappened() {
        var box = find('happened');
        box.textContent = '';
        walk.forEach(function (step, i) {
            var item = make('li', undefined, 't' + step.thread +
                (i >= at ? ' ahead' : ''));
            var b = button(done(step), function () {
                go(i + 1);
            });
            if (i === at - 1)
                b.setAttribute('aria-current', 'step');
            item.append(b);
            box.append(item);
        });
    }

    // Functions that somebody comes by in this graph: what may be wrong, then the
    // rest in the source's order.
    function drawCode() {
        var box = find('code');
        var names = {};
        graph.places.forEach(function (text) {
            var place = placeOf(text);
            if (place)
                names[place.name] = true;
        });
        box.textContent = '';
        var wrong = data.mistakes[find('choice').value.split(' ')[1]].functions;
        wrong.concat(Object.keys(data.code.right).filter(function (name) {
            return wrong.indexOf(name) === -1;
        })).forEach(function (name) {
            if (!names[name] || !code(name))
                return;
            var f = code(name);
            var figure = make('figure', undefined, 'quote');
            var caption = make('figcaption', f.file + ': ');
            caption.append(make('b', name));
            var pre = make('pre');
            f.lines.forEach(function (html, i) {
                var line = make('span', undefined, 'cl');
                line.dataset.at = name + ':' + (f.first + i);
                line.innerHTML = '<i class="at"></i><span>' + (html || ' ') +
                    '</span>';
                pre.append(line);
            });
            figure.append(caption, pre);
            box.append(figure);
        });
    }

    function drawPlaces(now, over) {
        var box = find('code');
        box.querySelectorAll('.cl.on').forEach(function (row) {
            row.className = 'cl';
            row.firstChild.textContent = '';
        });
        var mark = function (text, i, kind) {
            var place = placeOf(text);
            var row = place && box.querySelector('[data-at="' + place.name +
                ':' + place.line + '"]');
            if (!row)
                return;
            row.classList.add('on', kind);
            row.firstChild.append(make('b', String(i), 'badge t' + i + ' ' +
                kind));
            return row;
        };
        graph.threads(now).forEach(function (t, i) {
            if (t.is === 'ended')
                return;
            t.calls.forEach(function (place) {
                mark(place, i, 'calls');
            });
            var row = mark(t.place, i, t.is);
            if (row && at > 0 && walk[at - 1].thread === i)
                show(box, row);
        });
        if (over)
            [graph.end(node(at)).place, graph.end(node(at)).other]
                .forEach(function (text) {
                    var row = mark(text, '!', 'failed');
                    if (row)
                        show(box, row);
                });
    }

    function show(box, row) {
        var top = row.getBoundingClientRect().top -
            box.getBoundingClientRect().top;
        if (box.scrollHeight > box.clientHeight + 1 &&
            (top < 40 || top > box.clientHeight - 60))
            box.scrollTop += top - box.clientHeight / 3;
    }

    function draw(told) {
        var now = node(at);
        var over = now < 0;
        var state = over ? (at === 1 ? 0 : node(at - 1)) : now;
        drawThreads(state, over);
        drawValues(state);
        drawHappened();
        drawPlaces(state, over);
        root.classList.toggle('failed', over && graph.fails(now));
        find('told').textContent = told ||
            (at === 0 ? begins() : done(walk[at - 1]) + '.') +
            (over ? ' ' + outcome(now) : '');
        find('back').disabled = at === 0;
        find('forward').disabled = at === walk.length;
        find('watch').disabled = graph.distance(0) === Infinity;
        find('hint').disabled = over;
    }

    // --- Going ---------------------------------------------------------------

    function go(position) {
        at = Math.max(0, Math.min(position, walk.length));
        draw();
    }

    // Only main can go on, as at the beginning: nobody has to decide that.
    function passive() {
        while (data.about[scene].file === 'queue' && node(walk.length) >= 0) {
            var edges = graph.edges(node(walk.length));
            if (edges.length !== 1 || edges[0].thread !== 0)
                break;
            walk.push(edges[0]);
        }
    }

    function take(step) {
        walk.length = at;
        walk.push(step);
        var taken = walk.length;
        passive();
        at = walk.length;
        draw(at > taken ? done(step) + '. Then only main can go on. ' +
            (node(at) < 0 ? outcome(node(at)) : '') : undefined);
    }

    function hint() {
        var now = node(at);
        var far = graph.distance(now);
        if (far === Infinity) {
            draw(graph.distance(0) === Infinity
                ? begins() : 'From here it cannot fail any more: go back.');
        } else if (hinted !== now) {
            hinted = now;
            draw('It can fail from here, in ' + far + (far === 1 ? ' step'
                : ' steps') + '. Ask again, and it is said who goes first.');
        } else {
            var step = graph.towards(now, at > 0 ? walk[at - 1].thread : -1);
            draw(graph.names[step.thread] + ' goes on: ' + label(step,
                graph.threads(now)[step.thread]) + '.');
        }
    }

    function watch() {
        if (graph.distance(0) === Infinity)
            return;
        walk = graph.shortest();
        at = 0;
        draw('The shortest way to fail has ' + walk.length + ' steps: go ' +
            'forward through them.');
        find('forward').focus();
    }

    function begin() {
        walk = [];
        at = 0;
        hinted = -1;
        passive();
        at = walk.length;
        draw(begins());
    }

    function choose() {
        var value = find('choice').value.split(' ');
        scene = value[0];
        version = root.querySelector('[name=version]:checked').value === 'right'
            ? 'right' : value[1];
        graph = globalThis.triptychGraph(data.graphs[scene][version]);
        var about = data.mistakes[value[1]];
        var link = make('a', 'Mistake ' + value[1]);
        link.href = about.page;
        find('scene').textContent = data.about[scene].says + ' ';
        find('scene').append(link, ': ' + about.title.replace(/`/g, '') + '.');
        nameObjects();
        drawCode();
        find('code').scrollTop = 0;
        begin();
    }

    function fromHash() {
        var option = document.getElementById(location.hash.slice(1));
        if (option && option.tagName === 'OPTION') {
            find('choice').value = option.value;
            root.querySelector('[name=version]').checked = true;
            choose();
            return true;
        }
        return false;
    }

    find('choice').addEventListener('change', choose);
    root.querySelectorAll('[name=version]').forEach(function (radio) {
        radio.addEventListener('change', choose);
    });
    find('back').addEventListener('click', function () {
        go(at - 1);
    });
    find('forward').addEventListener('click', function () {
        go(at + 1);
    });
    find('begin').addEventListener('click', begin);
    find('hint').addEventListener('click', hint);
    find('watch').addEventListener('click', watch);
    document.addEventListener('keydown', function (event) {
        if (event.ctrlKey || event.altKey || event.metaKey ||
            /^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName))
            return;
        var keys = { ArrowLeft: 'back', ArrowRight: 'forward', h: 'hint',
            w: 'watch', r: 'begin' };
        var name = keys[event.key];
        var card = /^[0-9]$/.test(event.key) && find('threads')
            .querySelector('[data-thread="' + event.key + '"] button');
        if (card)
            card.click();
        else if (name && !find(name).disabled)
            find(name).click();
        else
            return;
        event.preventDefault();
    });
    window.addEventListener('hashchange', fromHash);
    root.hidden = false;
    if (!fromHash())
        choose();
})();
