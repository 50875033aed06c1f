#compdef nodewatch
# zsh completion of nodewatch: nodewatch itself prints the words that may follow those typed so far.
_nodewatch() {
	local -a found
	found=(${(f)"$(nodewatch --completion-bash "${(@)words[2,CURRENT]}" 2>/dev/null)"})
	if (( $#found )); then
		compadd -- $found
	else
		_files
	fi
}
# In the fpath, this file is the body of the function; elsewhere, as with eval, the
# function is registered.
if [[ $funcstack[1] == _nodewatch ]]; then
	_nodewatch "$@"
else
	compdef _nodewatch nodewatch
fi
