# What the scripts of this folder share. They run as root in a throw-away system, and print a line "ok: ..." or "not ok: ..." for each
# thing that they find; scripts/dev/test-package.mjs reads those.
failed=0

ok() { echo "ok: $*"; }
not_ok() {
  echo "not ok: $*"
  failed=1
}

# check NAME COMMAND...: the command succeeds.
check() {
  name=$1
  shift
  if "$@" >/tmp/output 2>&1; then ok "$name"; else
    not_ok "$name (status $?): $(tail -n 15 /tmp/output)"
  fi
}

# refuses NAME TEXT COMMAND...: the command fails, and says TEXT (a pattern of grep -E).
refuses() {
  name=$1 text=$2
  shift 2
  if "$@" >/tmp/output 2>&1; then not_ok "$name: it succeeded"; elif grep -qE "$text" /tmp/output; then
    ok "$name: $(grep -m 1 -E "$text" /tmp/output | sed 's/^ *//')"
  else
    not_ok "$name: it said: $(tail -n 15 /tmp/output)"
  fi
}

# await NAME COMMAND...: the command succeeds within 60 s (of a slow machine).
await() {
  name=$1
  shift
  for _ in $(seq 600); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  not_ok "$name"
  return 1
}

now_ms() { date +%s%3N; }

# Boxes in the background whose job waits for a file; start_boxes NUMBER FOLDER
start_boxes() {
  mkdir -p "$2"
  for i in $(seq "$1"); do
    proc_box --config none --uri none --quiet --timeout 1h --report-file "$2/report.$i" -- \
      sh -c "echo \$\$ >$2/job.$i; until [ -e $2/end ]; do sleep 0.2; done; exit $i" 2>"$2/stderr.$i" &
    eval "box_$i=\$!"
  done
  for i in $(seq "$1"); do await "box $i starts" test -s "$2/job.$i"; done
}

# All of them still run, and end with their own status once they may: end_boxes NUMBER FOLDER
end_boxes() {
  lost=''
  for i in $(seq "$1"); do kill -0 "$(cat "$2/job.$i")" 2>/dev/null || lost="$lost $i"; done
  [ -z "$lost" ] && ok "all $1 boxes still run" || not_ok "boxes that have ended:$lost"
  : >"$2/end"
  wrong=''
  for i in $(seq "$1"); do
    eval "pid=\$box_$i"
    wait "$pid"
    status=$?
    [ "$status" = "$i" ] || wrong="$wrong $i:$status"
    [ -s "$2/report.$i" ] || wrong="$wrong $i:no-report"
  done
  [ -z "$wrong" ] && ok "each of $1 boxes ended with its own status and a report" || not_ok "wrong ends:$wrong; $(cat "$2"/stderr.* | head -n 5)"
}
