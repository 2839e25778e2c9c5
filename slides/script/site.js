// What every page does: the theme, and what scrolls can be reached by keys.
(function () {
    'use strict';
    var root = document.documentElement;
    var button = document.getElementById('theme');
    var dark = window.matchMedia('(prefers-color-scheme: dark)');

    function isDark() {
        return root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches;
    }

    function label() {
        button.textContent = isDark() ? 'Light' : 'Dark';
        button.setAttribute('aria-label',
            isDark() ? 'Use the light theme' : 'Use the dark theme');
    }

    if (button) {
        button.hidden = false;
        button.addEventListener('click', function () {
            root.dataset.theme = isDark() ? 'light' : 'dark';
            try {
                localStorage.setItem('theme', root.dataset.theme);
            } catch (error) { /* then it is for this page only */ }
            label();
        });
        dark.addEventListener('change', label);
        label();
    }

    // A block that is wider than its frame can be scrolled by keys.
    function reachable() {
        document.querySelectorAll('pre, .table, .scroll:not(.frame)').forEach(function (e) {
            if (e.scrollWidth > e.clientWidth + 1 ||
                e.scrollHeight > e.clientHeight + 1)
                e.tabIndex = 0;
            else
                e.removeAttribute('tabindex');
        });
    }
    reachable();
    window.addEventListener('resize', reachable);
    document.addEventListener('toggle', reachable, true);
    document.addEventListener('change', reachable);

    // A word's meaning stands beside it, and is there while it is pointed at.
    document.querySelectorAll('.term').forEach(function (word) {
        var meaning = document.getElementById(word.getAttribute('popovertarget'));
        var hovered = false;
        if (!meaning || !meaning.showPopover)
            return;
        meaning.addEventListener('toggle', function (event) {
            var open = event.newState === 'open';
            word.setAttribute('aria-expanded', open);
            if (!open)
                return;
            var box = word.getBoundingClientRect();
            var own = meaning.getBoundingClientRect();
            var below = box.bottom + own.height + 12 < window.innerHeight;
            meaning.style.left = Math.max(8, Math.min(box.left,
                window.innerWidth - own.width - 8)) + 'px';
            meaning.style.top = (below ? box.bottom + 4
                : Math.max(8, box.top - own.height - 4)) + 'px';
            meaning.style.bottom = 'auto';
        });
        function leave() {
            setTimeout(function () {
                if (hovered && !word.matches(':hover') &&
                    !meaning.matches(':hover')) {
                    hovered = false;
                    meaning.hidePopover();
                }
            }, 200);
        }
        word.addEventListener('pointerenter', function (event) {
            if (event.pointerType !== 'mouse' ||
                meaning.matches(':popover-open'))
                return;
            setTimeout(function () {
                if (word.matches(':hover') &&
                    !meaning.matches(':popover-open')) {
                    hovered = true;
                    meaning.showPopover();
                }
            }, 250);
        });
        // Pressed after it was pointed at: it stays.
        word.addEventListener('click', function (event) {
            if (hovered) {
                hovered = false;
                event.preventDefault();
            }
        });
        word.addEventListener('pointerleave', leave);
        meaning.addEventListener('pointerleave', leave);
    });
    window.addEventListener('scroll', function () {
        var open = document.querySelector('.meaning:popover-open');
        if (open)
            open.hidePopover();
    }, { passive: true });

    // What is folded opens for a link into it.
    function unfold() {
        var target = location.hash.length > 1 &&
            document.getElementById(decodeURIComponent(location.hash.slice(1)));
        var fold = target && target.closest('details:not([open])');
        if (fold) {
            fold.open = true;
            target.scrollIntoView();
        }
    }
    unfold();
    window.addEventListener('hashchange', unfold);

    // The model that was chosen on a narrow screen stays chosen.
    var choice = document.querySelectorAll('.choice input');
    choice.forEach(function (input) {
        try {
            if (sessionStorage.getItem('model') === input.value)
                input.checked = true;
        } catch (error) { /* so be it */ }
        input.addEventListener('change', function () {
            try {
                sessionStorage.setItem('model', input.value);
            } catch (error) { /* so be it */ }
        });
    });

    // "/" searches.
    document.addEventListener('keydown', function (event) {
        var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
        if (event.key !== '/' || typing || event.ctrlKey || event.metaKey ||
            event.altKey)
            return;
        var find = document.querySelector('a.find');
        var query = document.getElementById('query');
        event.preventDefault();
        if (query)
            query.focus();
        else if (find)
            location.href = find.href;
    });
})();
