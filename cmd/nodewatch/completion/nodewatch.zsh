#compdef nodewatch
# zsh completion of nodewatch: nodewatch itself says what may follow the words typed so far.
_nodewatch() {
	local -a found
	found=(${(f)"$(nodewatch --completion-bash "${(@)words[2,CURRENT]}" 2>/dev/null)"})
	if (( $#found )); then
		compadd -- $found
	else
		_files
	fi
}
# A file in the fpath is the function's body; elsewhere, as by eval, it is registered.
if [[ $funcstack[1] == _nodewatch ]]; then
	_nodewatch "$@"
else
	compdef _nodewatch nodewatch
fi
