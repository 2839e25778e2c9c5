#compdef fetch-threads fetch-processes fetch-evloop fetch-coroutines
# Zsh completion for the fetchers; what takes a file is said here, and
# the other options zsh reads from --help.

_arguments '*:URL:_urls' \
    {-d,--directory}':directory:_files -/' {-i,--input}':list:_files' \
    {-T,--upload}':file:_files' '--report:file:_files' '--trace:file:_files' \
    '--cacert:file:_files' \
    '--progress:when:(auto always never)' --
