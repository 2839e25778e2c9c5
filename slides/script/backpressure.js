// The simulator of back-pressure: sliders, levels, a plot.
(function () {
    'use strict';
    var root = document.querySelector('.simulator');
    var code = document.getElementById('wasm');
    if (!root || !code)
        return;
    var find = function (name) {
        return root.querySelector('[data-is="' + name + '"]');
    };
    var c = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(
        atob(code.textContent.trim()), function (x) {
            return x.charCodeAt(0);
        })), {}).exports;
    var KIB = 1024;
    var CHUNK = 16 * KIB;
    var BODY = 4 * KIB * KIB;
    var WIDTH = 600; // milliseconds that are shown
    var still = window.matchMedia('(prefers-reduced-motion: reduce)');
    var time = 0;
    var history = [];
    var running = null;
    var sources = 0;
    c._initialize();

    var value = function (name) {
        return Number(find(name).value);
    };

    function marks() {
        var high = value('high');
        var low = value('low');
        if (find('tls').checked) {
            high = 512;
            low = 128;
        }
        if (find('equal').checked)
            low = high;
        return { high: high, low: Math.min(low, high) };
    }

    var said = function (bytes) {
        return bytes >= 10 * KIB * KIB
            ? (bytes / KIB / KIB).toFixed(1) + ' MiB'
            : Math.round(bytes / KIB) + ' KiB';
    };

    function memory() {
        var sum = 0;
        for (var i = 0; i < sources; i++)
            sum += c.simulator_stash(i);
        return sum;
    }

    function bound() {
        return sources * (marks().high * KIB + CHUNK);
    }

    function apply() {
        var m = marks();
        c.simulator_set(value('consumer'), value('server'), BODY,
            find('forgotten').checked ? 1 : 0);
        c.simulator_limits(m.high * KIB, m.low * KIB);
        find('consumer-says').textContent = value('consumer') / 1000 + ' MB/s';
        find('server-says').textContent = value('server') / 1000 + ' MB/s';
        find('sources-says').textContent = value('sources');
        find('high-says').textContent = m.high + ' KiB';
        find('low-says').textContent = m.low + ' KiB';
        find('high').disabled = find('tls').checked;
        find('low').disabled = find('tls').checked || find('equal').checked;
    }

    function begin() {
        var m = marks();
        sources = value('sources');
        apply();
        c.simulator_begin(sources, m.high * KIB, m.low * KIB);
        time = 0;
        history = [0];
        find('rows').textContent = '';
        for (var i = 0; i < sources; i++) {
            var row = document.createElement('tr');
            row.innerHTML = '<th scope="row">' + (i + 1) + '</th><td><span ' +
                'class="level"><i></i></span><small></small></td><td><span ' +
                'class="level"><i></i><b></b><u></u></span><small></small>' +
                '</td><td class="is"></td>';
            find('rows').append(row);
        }
        draw();
    }

    function level(cell, bytes, most) {
        cell.querySelector('i').style.width =
            Math.min(bytes / most, 1) * 100 + '%';
        cell.querySelector('small').textContent = said(bytes);
    }

    function path(list, most) {
        return list.map(function (y, x) {
            return (x === 0 ? 'M' : 'L') + x + ' ' +
                (160 - y / most * 140).toFixed(1);
        }).join('');
    }

    function draw() {
        var m = marks();
        var turn = c.simulator_turn();
        var most = Math.max(m.high * KIB + CHUNK, 1);
        for (var i = 0; i < sources; i++)
            most = Math.max(most, c.simulator_stash(i));
        for (i = 0; i < sources; i++) {
            var cells = find('rows').children[i].cells;
            level(cells[1], c.simulator_socket(i), 128 * KIB);
            level(cells[2], c.simulator_stash(i), most);
            cells[2].querySelector('b').style.left =
                m.high * KIB / most * 100 + '%';
            cells[2].querySelector('u').style.left =
                m.low * KIB / most * 100 + '%';
            cells[3].textContent = (c.simulator_paused(i) ? 'paused' : 'read') +
                (i === turn ? ', has the turn' : '');
            cells[3].className = 'is' + (c.simulator_paused(i) ? ' paused' : '');
        }
        find('pipe').textContent = said(c.simulator_pipe()) + ' of 64 KiB';
        find('taken').textContent = said(c.simulator_taken());
        find('drained').textContent = c.simulator_drained() + ' times';
        find('memory').textContent = said(memory());
        find('bound').textContent = sources + ' × (' + m.high +
            ' KiB + a chunk of 16 KiB) = ' + said(bound());
        find('time').textContent = 'after ' + time + ' ms';
        var top = Math.max.apply(null, history.concat(bound()));
        find('curve').setAttribute('d', path(history, top));
        var y = (160 - bound() / top * 140).toFixed(1);
        find('line').setAttribute('d', 'M0 ' + y + 'H600');
        find('scale').textContent = said(top);
    }

    function step(times) {
        for (var i = 0; i < times; i++) {
            c.simulator_step();
            time++;
            history.push(memory());
        }
        history = history.slice(-WIDTH);
        draw();
    }

    function run(on) {
        if (running !== null)
            clearInterval(running);
        running = on ? setInterval(step, 33, 2) : null;
        find('go').textContent = on ? 'Pause' : 'Run';
    }

    ['consumer', 'server', 'high', 'low', 'forgotten', 'equal', 'tls']
        .forEach(function (name) {
            find(name).addEventListener('input', function () {
                apply();
                draw();
            });
        });
    find('sources').addEventListener('input', begin);
    find('go').addEventListener('click', function () {
        run(running === null);
    });
    find('one').addEventListener('click', function () {
        run(false);
        step(1);
    });
    find('ten').addEventListener('click', function () {
        run(false);
        step(10);
    });
    find('begin').addEventListener('click', begin);
    root.hidden = false;
    begin();
    if (!still.matches)
        run(true);
})();
