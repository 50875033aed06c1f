# bash completion of nodewatch: nodewatch itself prints the words that may follow those typed
# so far.
_nodewatch() {
	local word=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=($(compgen -W "$(nodewatch --completion-bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$word"))
}
complete -o default -F _nodewatch nodewatch
