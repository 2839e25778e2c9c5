// Plays the recording that stands in the page.
(function () {
    'use strict';
    var place = document.getElementById('race');
    place.textContent = '';
    window.AsciinemaPlayer.create(
        { data: JSON.parse(document.getElementById('cast').textContent) },
        place, { fit: 'width', idleTimeLimit: 2, poster: 'npt:3',
            terminalFontFamily: 'ui-monospace, Menlo, Consolas, ' +
                '"DejaVu Sans Mono", monospace' });
})();
