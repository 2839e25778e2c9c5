# Bash completion for the programs around the fetchers: options from --help, and
# workloads from --list where there is one.

_triptych_tools()
{
    local word=${COMP_WORDS[COMP_CWORD]} words
    if [[ $word == -* ]]; then
        words=$("$1" --help 2>/dev/null | grep -oE -- '--[a-z-]+')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        return
    fi
    case ${1##*/} in
    triptych-bench | triptych-race)
        words=$("$1" --list 2>/dev/null | grep -oE '^[a-z0-9-]+')
        mapfile -t COMPREPLY < <(compgen -W "$words" -f -- "$word")
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    esac
}

complete -o filenames -F _triptych_tools triptych-origin triptych-bench \
    triptych-race triptych-demo triptych-drain triptych-cluster
