/* Starts the deck. D changes between light and dark. */
function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === 'dark'
        : matchMedia('(prefers-color-scheme: dark)').matches;
}

function changeTheme() {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    try {
        localStorage.setItem('theme', theme);
    } catch (error) {
        /* Not kept, then. */
    }
}

/* What is laid out before its letters are there would be measured wrong. */
Promise.allSettled([...document.fonts].map((face) => face.load())).then(() => {
    Reveal.initialize({
        width: 1280,
        height: 720,
        margin: 0,
        minScale: 0.1,
        maxScale: 4,
        center: false,
        hash: true,
        controls: true,
        controlsTutorial: false,
        progress: true,
        slideNumber: 'c/t',
        transition: 'none',
        backgroundTransition: 'none',
        pdfSeparateFragments: false,
        pdfMaxPagesPerSlide: 1,
        scrollActivationWidth: null,
        keyboardCondition: null,
        keyboard: { 68: changeTheme },
        plugins: [RevealNotes],
    });
    Reveal.registerKeyboardShortcut('D', 'Light or dark');
});
