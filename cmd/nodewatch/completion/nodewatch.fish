# fish completion of nodewatch: nodewatch itself says what may follow the words typed so far.
function __nodewatch_words
	set -l words (commandline -opc) (commandline -ct)
	nodewatch --completion-bash $words[2..-1] 2>/dev/null
end
complete -c nodewatch -n 'count (__nodewatch_words) >/dev/null' -f -a '(__nodewatch_words)'
