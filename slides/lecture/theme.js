/* The theme that was chosen last, here or elsewhere on the site, before
 * anything is drawn. */
try {
    const theme = localStorage.getItem('theme');
    if (theme)
        document.documentElement.dataset.theme = theme;
} catch (error) {
    /* No storage: the system's theme. */
}
