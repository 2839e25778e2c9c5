// A graph of the explorer (tests/lab/explorer/export.h), to be walked. Without a
// page: the site's tests walk it, too.
(function () {
    'use strict';

    function make(graph) {
        var nodes = graph.nodes;

        // A thread gets its name when it is made, so until then it is T1.
        var steps = graph.steps.map(function (list) {
            return list.map(function (s) {
                var made = /^create T(\d+)$/.exec(s[1]);
                return made ? [s[0], 'create ' + graph.threads[made[1]], s[2]]
                    : s;
            });
        });

        function edges(node) {
            return nodes[node][2].map(function (e) {
                return { how: e[0], thread: e[1], values: e[2],
                    steps: steps[e[3]], to: e[4] };
            });
        }

        function end(to) {
            var e = graph.ends[-1 - to];
            return { kind: e[0], message: e[1], means: e[2], look: e[3],
                place: graph.places[e[4]], other: graph.places[e[5]] };
        }

        function fails(to) {
            return to < 0 && end(to).kind !== 'passed';
        }

        // For each node the fewest steps to a failure: backwards from there.
        var far = nodes.map(function () {
            return Infinity;
        });
        var before = nodes.map(function () {
            return [];
        });
        var queue = [];
        nodes.forEach(function (n, i) {
            n[2].forEach(function (e) {
                if (e[4] >= 0) {
                    before[e[4]].push(i);
                } else if (fails(e[4]) && far[i] === Infinity) {
                    far[i] = 1;
                    queue.push(i);
                }
            });
        });
        for (var at = 0; at < queue.length; at++) {
            before[queue[at]].forEach(function (i) {
                if (far[i] === Infinity) {
                    far[i] = far[queue[at]] + 1;
                    queue.push(i);
                }
            });
        }

        function distance(to) {
            return to >= 0 ? far[to] : fails(to) ? 0 : Infinity;
        }

        // A step towards the nearest failure; the thread that went last goes on
        // if it can, so that there are few switches.
        function towards(node, thread) {
            var best = edges(node).filter(function (e) {
                return distance(e.to) === far[node] - 1;
            });
            return best.filter(function (e) {
                return e.thread === thread;
            })[0] || best[0];
        }

        // The steps of the shortest failing schedule; none if nothing fails.
        function shortest() {
            var path = [];
            var node = 0;
            while (node >= 0 && far[node] < Infinity) {
                path.push(towards(node, path.length === 0 ? -1
                    : path[path.length - 1].thread));
                node = path[path.length - 1].to;
            }
            return path;
        }

        // Where a thread is: what it does, the place, its callers ...
        function threads(node) {
            return nodes[node][0].map(function (number, i) {
                var s = graph.stands[number];
                return { name: graph.threads[i], does: s[0],
                    place: graph.places[s[1]],
                    calls: s[2].map(function (p) {
                        return graph.places[p];
                    }), is: s[3], holds: s[4] };
            });
        }

        return { edges: edges, end: end, fails: fails, distance: distance,
            towards: towards, shortest: shortest, threads: threads,
            size: nodes.length,
            values: function (node) {
                return graph.values[nodes[node][1]];
            },
            names: graph.threads, places: graph.places };
    }

    globalThis.triptychGraph = make;
})();
