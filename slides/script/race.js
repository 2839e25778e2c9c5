// Plays the recording that stands in the page.
(function () {
    'use strict';
    var FONT = '"IBM Plex Mono", monospace';
    var place = document.getElementById('race');

    function play() {
        place.textContent = '';
        window.AsciinemaPlayer.create(
            { data: JSON.parse(document.getElementById('cast').textContent) },
            place, { fit: 'width', idleTimeLimit: 2, poster: 'npt:3',
                terminalFontFamily: FONT });
    }

    // The player measures a letter once, so the letters must be there.
    Promise.all(['', 'bold '].map(function (weight) {
        return document.fonts.load(weight + '16px ' + FONT);
    })).then(play, play);
})();
