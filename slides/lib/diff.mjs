// diff: two lists of lines, compared.
//
// [sign, line]: the longest run of lines that both have stays.
export function diff(a, b) {
    const longest = Array.from({ length: a.length + 1 }, () =>
        new Array(b.length + 1).fill(0));
    for (let i = a.length - 1; i >= 0; i--) {
        for (let j = b.length - 1; j >= 0; j--)
            longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1
                : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
    const out = [];
    let [i, j] = [0, 0];
    while (i < a.length || j < b.length) {
        if (i < a.length && j < b.length && a[i] === b[j])
            out.push([' ', a[i++], j++]);
        else if (j === b.length ||
            (i < a.length && longest[i + 1][j] >= longest[i][j + 1]))
            out.push(['-', a[i++]]);
        else
            out.push(['+', b[j++]]);
    }
    return out;
}
