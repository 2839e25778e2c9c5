// The parser, as WebAssembly: what a page and its test do with it.
//
//     var p = triptychParser(bytes);      the module
//     p.load(response);                   bytes, as many as there is room for
//     p.feed(n) -> {used, spans}          the next n bytes of it
//     p.close();                          the server closes
//     p.look() -> {state, want, ...}
(function () {
    'use strict';

    function text(memory, at) {
        var bytes = new Uint8Array(memory.buffer);
        var words = '';
        while (bytes[at] !== 0)
            words += String.fromCharCode(bytes[at++]);
        return words;
    }

    globalThis.triptychParser = function (module) {
        function none() {
            return 52; // ENOSYS: it has no files
        }
        var c = new WebAssembly.Instance(new WebAssembly.Module(module), {
            wasi_snapshot_preview1: { fd_close: none, fd_seek: none,
                fd_write: none } }).exports;
        var room = c.parser_room();
        var length = 0;
        var at = 0;
        c._initialize();

        return {
            most: c.parser_room_size(),
            load: function (response) {
                length = Math.min(response.length, c.parser_room_size());
                new Uint8Array(c.memory.buffer).set(
                    response.subarray(0, length), room);
                at = 0;
                c.parser_start();
            },
            // As a driver does: call again until all are used, or it is done.
            feed: function (n) {
                var end = Math.min(at + n, length);
                var before = at;
                var spans = [];
                while (at < end) {
                    var used = c.parser_feed(at, end - at);
                    if (c.parser_span_length() > 0)
                        spans.push([c.parser_span_at(),
                            c.parser_span_at() + c.parser_span_length()]);
                    at += used;
                    if (used === 0)
                        break;
                }
                return { used: at - before, spans: spans };
            },
            close: function () {
                c.parser_close();
            },
            look: function () {
                var head = c.parser_head();
                return { at: at, state: c.parser_state(),
                    want: c.parser_want(), status: c.parser_status(),
                    left: c.parser_left(), kept: c.parser_kept(),
                    complete: (head & 1) !== 0, keepAlive: (head & 2) !== 0,
                    hasLength: (head & 4) !== 0, chunked: (head & 8) !== 0,
                    result: text(c.memory, c.parser_result()),
                    cause: text(c.memory, c.parser_cause()),
                    outcomeStatus: c.parser_outcome_status(),
                    bytes: c.parser_bytes(),
                    reusable: c.parser_reusable() !== 0 };
            },
        };
    };
})();
