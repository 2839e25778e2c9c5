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
