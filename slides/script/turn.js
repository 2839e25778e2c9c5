// One turn of the loop at a time. Without a script all stand below each other.
(function () {
    'use strict';
    var bar = document.querySelector('.turning');
    var turns = Array.from(document.querySelectorAll('.turn-of'));
    if (!bar || turns.length === 0)
        return;
    var find = function (name) {
        return document.querySelector('[data-is="' + name + '"]');
    };

    function show(number) {
        var at = Math.max(0, Math.min(number, turns.length - 1));
        turns.forEach(function (turn, i) {
            turn.hidden = i !== at;
        });
        find('where').value = at;
        find('back').disabled = at === 0;
        find('next').disabled = at === turns.length - 1;
        find('told').textContent = turns[at].querySelector('h2').textContent;
    }

    function go(by) {
        show(Number(find('where').value) + by);
    }

    find('back').addEventListener('click', function () {
        go(-1);
    });
    find('next').addEventListener('click', function () {
        go(1);
    });
    find('where').addEventListener('input', function () {
        go(0);
    });
    document.addEventListener('keydown', function (event) {
        if (event.ctrlKey || event.altKey || event.metaKey ||
            event.target.tagName === 'INPUT')
            return;
        if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
            go(event.key === 'ArrowLeft' ? -1 : 1);
            event.preventDefault();
        }
    });
    bar.hidden = false;
    show(Number((location.hash.match(/^#turn-(\d+)$/) || [])[1] || 0));
})();
