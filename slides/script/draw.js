// Draws a timeline as the inside of an SVG. The same code draws it when the
// site is built and, in the browser, when it is zoomed.
(function (root) {
    'use strict';
    var LABEL = 84;    // the lanes' names
    var AXIS = 24;
    var LANE = 24;
    var CHART = 40;    // a counter below its lane, unless data.chart says

    function escape(text) {
        return String(text).replace(/[&<>"]/g, function (c) {
            return { '&': '&amp;', '<': '&lt;', '>': '&gt;',
                '"': '&quot;' }[c];
        });
    }

    // 1, 2 or 5 times a power of ten, about `count` of them.
    function tick(length, count) {
        var rough = length / count;
        var power = Math.pow(10, Math.floor(Math.log10(rough)));
        var unit = [1, 2, 5, 10].filter(function (u) {
            return u * power >= rough;
        })[0];
        return unit * power;
    }

    function time(value) {
        if (value >= 100)
            return Math.round(value) + ' ms';
        return value >= 1 ? +value.toFixed(1) + ' ms'
            : Math.round(value * 1000) + ' µs';
    }

    function bytes(value) {
        return value >= 1024 ? Math.round(value / 1024) + ' KiB'
            : value + ' bytes';
    }

    // What a step is, in words.
    function say(data, lane, span) {
        var length = span[2] - span[1];
        var waits = isWait(data, lane, span);
        return lane.name + ': ' + span[0] +
            (span[3] === null ? '' : ', request ' + span[3]) + ', ' +
            time(length) + ', from ' + time(span[1]) +
            (span[5] ? ', ' + span[5] : '') +
            (waits ? '; ' + waits : '');
    }

    // How it waits there, or ''.
    function isWait(data, lane, span) {
        var isWorker = lane.number > 0;
        if (span[2] - span[1] < 2)
            return '';
        if (!isWorker)
            return data.waits['main ' + span[0]] || '';
        return data.waits[span[0] + (span[4] === 0 ? ' at the end' : '')] ||
            data.waits[span[0] + ', ' + span[6]] ||
            data.waits[span[0]] || '';
    }

    function chartHeight(data) {
        return data.chart || CHART;
    }

    function height(data) {
        return data.lanes.reduce(function (sum, lane) {
            return sum + LANE + 8 + Object.keys(lane.counters).length *
                chartHeight(data);
        }, AXIS) + 6;
    }

    function highest(list) {
        return Math.max.apply(null, list.map(function (p) {
            return p[1];
        }));
    }

    function chart(data, lane, name, y, x, right) {
        var list = lane.counters[name];
        var marks = data.marks || [];
        var most = Math.max.apply(null, marks.concat(highest(list))) * 1.1 || 1;
        var tall = chartHeight(data);
        var bottom = y + tall - 6;
        function at(value) {
            return +(bottom - value / most * (tall - 12)).toFixed(1);
        }
        var path = 'M' + x(0) + ' ' + bottom;
        list.forEach(function (p) {
            path += 'H' + x(p[0]) + 'V' + at(p[1]);
        });
        path += 'H' + x(data.end) + 'V' + bottom + 'Z';
        return '<path class="count" d="' + path + '"><title>' + escape(name) +
            ', at most ' + bytes(highest(list)) + '</title></path>' +
            (name === 'buffered' ? marks : []).map(function (mark, i) {
                return '<line class="mark" x1="' + LABEL + '" x2="' + right +
                    '" y1="' + at(mark) + '" y2="' + at(mark) + '"/>' +
                    (tall > 2 * CHART || i === 0 ? '<text class="small" text-anchor="end" x="' + (right - 4) +
                    '" y="' + (i > 0 && at(mark) - at(marks[0]) < 14
                    ? at(mark) + 12 : at(mark) - 3) + '">' +
                    (i === 0 ? 'high' : 'low') + '-water, ' + bytes(mark) +
                    '</text>' : '');
            }).join('');
    }

    // view: {from, to, width, selected: [lane, span]}
    function draw(data, view) {
        var right = view.width - 8;
        var scale = (right - LABEL) / (view.to - view.from);
        var total = height(data);
        var out = [];
        var rows = {};
        var labels = [];
        function x(t) {
            var at = LABEL + (t - view.from) * scale;
            // Far outside nothing needs to be exact.
            return +Math.max(-5000, Math.min(at, 9000)).toFixed(2);
        }
        var unit = tick(view.to - view.from, Math.max(3, view.width / 130));
        for (var t = Math.ceil(view.from / unit) * unit; t <= view.to;
            t += unit) {
            var here = x(t);
            out.push('<line class="grid" x1="' + here + '" x2="' + here +
                '" y1="' + (AXIS - 4) + '" y2="' + (total - 4) + '"/>');
            if (here < right - 30)
                out.push('<text class="small" x="' + (here + 3) + '" y="14">' +
                    time(t) + '</text>');
        }
        var y = AXIS;
        data.lanes.forEach(function (lane, l) {
            rows[lane.number] = y + 4;
            labels.push('<text class="lane" x="0" y="' + (y + 20) + '">' +
                escape(lane.name) + '</text>');
            lane.spans.forEach(function (span, s) {
                var from = x(span[1]);
                var width = Math.max(x(span[2]) - from, 1.5);
                if (from > right || from + width < LABEL)
                    return;
                var depth = Math.min(span[4], 2);
                var top = y + 4 + depth * 5;
                var chosen = view.selected && view.selected[0] === l &&
                    view.selected[1] === s;
                out.push('<g class="span st-' + span[0] +
                    (isWait(data, lane, span) ? ' waits' : '') +
                    (chosen ? ' chosen' : '') + '" data-at="' + l + ',' + s +
                    '"><title>' + escape(say(data, lane, span)) +
                    '</title><rect x="' + from + '" y="' + top + '" width="' +
                    width.toFixed(2) + '" height="' + (LANE - depth * 10) +
                    '" rx="1.5"/>' + (isWait(data, lane, span)
                    ? '<rect class="hatch" x="' + from + '" y="' + top +
                        '" width="' + width.toFixed(2) + '" height="' +
                        (LANE - depth * 10) + '"/>' : '') +
                    (width > 26 && span[3] !== null && depth < 2
                        ? '<text class="id" x="' + (Math.max(from, LABEL) + 4) +
                            '" y="' + (y + 20) + '">' + span[3] + '</text>'
                        : '') + '</g>');
            });
            y += LANE + 8;
            Object.keys(lane.counters).forEach(function (name) {
                labels.push('<text class="small" x="8" y="' + (y + 14) + '">' +
                    escape(name) + '</text><text class="small" x="8" y="' +
                    (y + 27) + '">up to ' + bytes(highest(lane.counters[name])) +
                    '</text>');
                out.push(chart(data, lane, name, y, x, right));
                y += chartHeight(data);
            });
        });
        data.arrows.forEach(function (a) {
            if (rows[a[2]] === undefined || rows[a[4]] === undefined)
                return;
            var down = rows[a[4]] > rows[a[2]];
            out.push('<path class="arrow" d="M' + x(a[1]) + ' ' +
                (rows[a[2]] + (down ? LANE : 0)) + 'L' + x(a[3]) + ' ' +
                (rows[a[4]] + (down ? 0 : LANE)) + '"><title>' + escape(a[0]) +
                ' of request ' + a[5] + '</title></path>');
        });
        (data.lost || []).forEach(function (lost) {
            var top = rows[lost.lane];
            var width = Math.max(x(lost.to) - x(lost.from), 1);
            out.push('<g class="lost"><title>' + escape(lost.says) +
                '</title><rect x="' + x(lost.from) + '" y="' + top +
                '" width="' + width + '" height="' + LANE + '"/><text x="' +
                (x(lost.to) - 6) + '" y="' + (top + 17) +
                '" text-anchor="end">' + (width < 60 ? '×' : 'killed ×') +
                '</text></g>');
        });
        return '<clipPath id="' + data.id + '-clip"><rect x="' + LABEL +
            '" y="0" width="' + (right - LABEL) + '" height="' + total +
            '"/></clipPath><g clip-path="url(#' + data.id + '-clip)">' +
            out.join('') + '</g>' + labels.join('');
    }

    root.triptychTimeline = { draw: draw, height: height, say: say,
        label: LABEL };
})(typeof window === 'undefined' ? globalThis : window);
