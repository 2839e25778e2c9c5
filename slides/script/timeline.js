// A timeline can be zoomed, moved, and walked through by keys.
(function () {
    'use strict';
    var T = window.triptychTimeline;

    function begin(figure) {
        var data = JSON.parse(figure.querySelector('script').textContent);
        var svg = figure.querySelector('svg');
        var frame = figure.querySelector('.frame');
        var told = figure.querySelector('.told');
        var empty = told.textContent;
        var view = { from: 0, to: data.end, width: 0, selected: null };
        var dragged = null;

        function paint() {
            var width = Math.max(frame.clientWidth, 320);
            view.width = width;
            svg.setAttribute('width', width);
            svg.setAttribute('viewBox', '0 0 ' + width + ' ' + T.height(data));
            svg.innerHTML = svg.querySelector('defs').outerHTML +
                T.draw(data, view);
        }

        function limit() {
            var length = Math.min(Math.max(view.to - view.from, 0.02), data.end);
            view.from = Math.min(Math.max(view.from, 0), data.end - length);
            view.to = view.from + length;
            paint();
        }

        // Zooms about a moment, by default the middle.
        function zoom(factor, about) {
            var at = about === undefined ? (view.from + view.to) / 2 : about;
            view.from = at - (at - view.from) / factor;
            view.to = at + (view.to - at) / factor;
            limit();
        }

        function move(part) {
            var by = (view.to - view.from) * part;
            view.from += by;
            view.to += by;
            limit();
        }

        function all() {
            view.from = 0;
            view.to = data.end;
            paint();
        }

        function timeAt(event) {
            var box = svg.getBoundingClientRect();
            return view.from + (event.clientX - box.left - T.label) /
                (view.width - 8 - T.label) * (view.to - view.from);
        }

        function spanAt(event) {
            var at = event.target.closest && event.target.closest('.span');
            return at ? at.dataset.at.split(',').map(Number) : null;
        }

        function tell(at) {
            if (at === null)
                return;
            var lane = data.lanes[at[0]];
            told.textContent = T.say(data, lane, lane.spans[at[1]]);
        }

        function select(at) {
            var span = data.lanes[at[0]].spans[at[1]];
            view.selected = at;
            if (span[2] < view.from || span[1] > view.to) {
                var middle = (span[1] + span[2]) / 2;
                var half = (view.to - view.from) / 2;
                view.from = middle - half;
                view.to = middle + half;
            }
            limit();
            tell(at);
        }

        // To the next span of the lane, or to another lane's at that time.
        function walk(right, down) {
            var at = view.selected;
            if (at === null) {
                var first = data.lanes.findIndex(function (lane) {
                    return lane.spans.length > 0;
                });
                select([first, 0]);
                return;
            }
            var spans = data.lanes[at[0]].spans;
            if (right !== 0) {
                var next = at[1] + right;
                if (next >= 0 && next < spans.length)
                    select([at[0], next]);
                return;
            }
            var when = spans[at[1]][1];
            var lane = at[0] + down;
            while (data.lanes[lane] && data.lanes[lane].spans.length === 0)
                lane += down;
            if (!data.lanes[lane])
                return;
            var best = 0;
            data.lanes[lane].spans.forEach(function (span, i) {
                if (span[1] <= when)
                    best = i;
            });
            select([lane, best]);
        }

        var keys = {
            ArrowRight: function () { walk(1, 0); },
            ArrowLeft: function () { walk(-1, 0); },
            ArrowDown: function () { walk(0, 1); },
            ArrowUp: function () { walk(0, -1); },
            '+': function () { zoom(2, middle()); },
            '=': function () { zoom(2, middle()); },
            '-': function () { zoom(0.5, middle()); },
            '0': all,
            Escape: function () {
                view.selected = null;
                told.textContent = empty;
                paint();
            },
        };

        function middle() {
            if (view.selected === null)
                return undefined;
            var span = data.lanes[view.selected[0]].spans[view.selected[1]];
            return (span[1] + span[2]) / 2;
        }

        frame.addEventListener('keydown', function (event) {
            if (event.ctrlKey || event.metaKey || event.altKey ||
                !keys[event.key])
                return;
            event.preventDefault();
            keys[event.key]();
        });
        frame.addEventListener('wheel', function (event) {
            if (!event.ctrlKey && !event.shiftKey)
                return; // the page scrolls
            event.preventDefault();
            if (event.ctrlKey)
                zoom(event.deltaY < 0 ? 1.25 : 0.8, timeAt(event));
            else
                move((event.deltaY + event.deltaX) / 1500);
        }, { passive: false });
        frame.addEventListener('pointerdown', function (event) {
            if (event.button !== 0)
                return;
            dragged = { x: event.clientX, from: view.from, moved: false };
        });
        window.addEventListener('pointermove', function (event) {
            if (dragged === null)
                return;
            var by = (event.clientX - dragged.x) / (view.width - 8 - T.label) *
                (view.to - view.from);
            if (Math.abs(event.clientX - dragged.x) > 3)
                dragged.moved = true;
            if (!dragged.moved)
                return;
            var length = view.to - view.from;
            view.from = dragged.from - by;
            view.to = view.from + length;
            limit();
        });
        window.addEventListener('pointerup', function () {
            dragged = null;
        });
        frame.addEventListener('pointerover', function (event) {
            tell(spanAt(event));
        });
        frame.addEventListener('click', function (event) {
            var at = spanAt(event);
            if (at !== null)
                select(at);
        });
        var actions = { in: function () { zoom(2, middle()); },
            out: function () { zoom(0.5, middle()); },
            left: function () { move(-0.3); },
            right: function () { move(0.3); }, all: all };
        figure.querySelectorAll('button[data-do]').forEach(function (button) {
            button.addEventListener('click', function () {
                actions[button.dataset.do]();
            });
        });
        figure.querySelector('.bar').hidden = false;
        frame.tabIndex = 0;
        window.addEventListener('resize', paint);
        paint();
    }

    document.querySelectorAll('figure.timeline').forEach(begin);
})();
