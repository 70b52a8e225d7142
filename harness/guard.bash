# Keeps one process and its folder for a test process: bash guard.bash <folder> <command> [arguments]
#
# Commands come in on stdin, one a line: "start", when <folder> has no file "pid" or "exit", or the name of a
# signal. When stdin ends, which it does however the test process ends, the process is ended by the signal in
# LAST_SIGNAL, KILL if that is not set, and the folder is removed, unless KEEP is set. While the process runs its id is
# in "pid"; when it has ended, its status is in "exit".

trap '' INT TERM HUP # the end of stdin is what counts

for fd in /proc/self/fd/*; do # connections of the test process, which would stay open with us
	fd=${fd##*/}
	if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
done 2>/dev/null

folder=$1
shift

start() {
	(
		env --default-signal=INT,TERM,HUP "$@" </dev/null >>"$folder/output" 2>&1 &
		echo "$!" >"$folder/pid"
		wait "$!"
		echo "$?" >"$folder/exit.new"
		mv "$folder/exit.new" "$folder/exit"
	) &
	until [ -s "$folder/pid" ]; do :; done
}

signal() {
	if [ -s "$folder/pid" ] && [ ! -e "$folder/exit" ]; then
		kill -s "$1" "$(cat "$folder/pid")" 2>/dev/null
	fi
}

while read -r command; do
	if [ "$command" = start ]; then
		start "$@"
	else
		signal "$command"
	fi
done

signal "${LAST_SIGNAL:-KILL}"
wait
if [ -z "${KEEP:-}" ]; then
	rm -rf "$folder"
fi
