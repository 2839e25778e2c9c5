// A figure of lanes that plays: a line goes through time, each lane says
// whether it is asleep, and the moment that was reached last is told.
(function () {
    'use strict';
    var still = window.matchMedia('(prefers-reduced-motion: reduce)');
    var TICK = 550; // milliseconds

    function begin(figure) {
        var ticks = Number(figure.dataset.ticks);
        var lanes = [].slice.call(figure.querySelectorAll('.lane'));
        var told = [].slice.call(figure.querySelectorAll('.moments > li'));
        var bar = figure.querySelector('.bar');
        var go = bar.querySelector('.go');
        var at = 0; // in ticks, with a fraction
        var last = null; // the time of the frame before
        var shown = -1;

        function word(sign) {
            return sign === 'z' ? 'asleep' : sign === '.' ? '' : 'at work';
        }

        function draw() {
            var now = -1;
            figure.style.setProperty('--now', at * 100 / ticks + '%');
            lanes.forEach(function (lane) {
                var sign = lane.dataset.signs[Math.min(Math.floor(at),
                    ticks - 1)];
                var text = word(sign);
                var is = lane.querySelector('.is');
                if (is.textContent !== text) {
                    is.textContent = text;
                    lane.classList.toggle('sleeping', sign === 'z');
                }
            });
            told.forEach(function (item, i) {
                if (Number(item.dataset.at) <= at)
                    now = i;
            });
            now = Math.max(now, 0);
            if (now === shown)
                return;
            shown = now;
            told.forEach(function (item, i) {
                item.classList.toggle('now', i === now);
            });
            bar.querySelector('.at').textContent =
                (now + 1) + ' of ' + told.length;
        }

        function frame(time) {
            if (last === null)
                return;
            at += (time - last) / TICK;
            last = time;
            if (at >= ticks - 1) {
                at = ticks - 1;
                stop();
            }
            draw();
            if (last !== null)
                requestAnimationFrame(frame);
        }

        function stop() {
            last = null;
            go.textContent = at >= ticks - 1 ? 'Again' : 'Play';
        }

        function play() {
            if (at >= ticks - 1)
                at = 0;
            go.textContent = 'Pause';
            last = performance.now();
            requestAnimationFrame(frame);
        }

        function to(step) {
            stop();
            at = Number(told[Math.min(Math.max(shown + step, 0),
                told.length - 1)].dataset.at);
            draw();
            stop();
        }

        figure.classList.add('moves');
        bar.hidden = false;
        // What moves by itself is not read out; what was asked for is.
        var list = figure.querySelector('.moments');
        go.addEventListener('click', function () {
            list.setAttribute('aria-live', 'off');
            if (last === null)
                play();
            else
                stop();
        });
        ['back', 'next'].forEach(function (name, i) {
            bar.querySelector('.' + name).addEventListener('click', function () {
                list.setAttribute('aria-live', 'polite');
                to(i === 0 ? -1 : 1);
            });
        });
        if (still.matches)
            at = Number(told[0].dataset.at);
        draw();
        if (!still.matches)
            play();
    }

    document.querySelectorAll('.lanes.plays').forEach(begin);
})();
