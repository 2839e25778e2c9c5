# Bash completion for the fetchers. The options are taken from --help, so
# that there is nothing here to fall behind.

_triptych_fetch()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $before in
    -d | --directory)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        ;;
    -i | --input | -T | --upload | --report | --trace | --cacert)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    --progress)
        mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word")
        ;;
    --spawn)
        mapfile -t COMPREPLY < <(compgen -W "pool each" -- "$word")
        ;;
    --backend)
        mapfile -t COMPREPLY < <(compgen -W "epoll poll select" -- "$word")
        ;;
    --high-water)
        mapfile -t COMPREPLY < <(compgen -W "none 64K" -- "$word")
        ;;
    *)
        local schemes="http:// https:// file:/// tcp:// udp:// \
postgresql://"
        if [[ $word == -* ]]; then
            local options
            options=$("$1" --help 2>/dev/null | grep -oE -- '--[a-z-]+')
            mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -W "$schemes" -- "$word")
            compopt -o nospace 2>/dev/null
        fi
        ;;
    esac
}

complete -o filenames -F _triptych_fetch \
    fetch-threads fetch-processes fetch-evloop fetch-coroutines
