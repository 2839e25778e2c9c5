# Bash completion for triptych-lab; its commands and options are taken from
# --help.

_triptych_lab()
{
    local word=${COMP_WORDS[COMP_CWORD]} words
    if ((COMP_CWORD == 1)); then
        words=$("$1" --help 2>/dev/null | sed -n 's/^    \([a-z-]\+\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    elif [[ $word == -* ]]; then
        words=$("$1" "${COMP_WORDS[1]}" --help 2>/dev/null |
            grep -oE -- '--[a-z-]+')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    else
        words=$("$1" list 2>/dev/null | sed -n 's/^[0-9]\. \([a-z]\+\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -f -- "$word")
    fi
}

complete -o filenames -F _triptych_lab triptych-lab
