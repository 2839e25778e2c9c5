#compdef triptych-origin triptych-bench triptych-race triptych-demo triptych-drain triptych-cluster
# Zsh completion for the programs around the fetchers: zsh reads their options
# from --help.

_arguments '*:file:_files' --
