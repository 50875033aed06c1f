# fish completion of nodewatch: nodewatch itself prints the words that may follow those typed
# so far.
function __nodewatch_words
	set -l words (commandline -opc) (commandline -ct)
	nodewatch --completion-bash $words[2..-1] 2>/dev/null
end
complete -c nodewatch -n 'count (__nodewatch_words) >/dev/null' -f -a '(__nodewatch_words)'
