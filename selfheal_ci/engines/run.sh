#!/bin/sh
# Runs one command on the prepared tree as an unprivileged user, and leaves what came of it in $OUT, which that user
# cannot enter. Never fails because the command does: 95 means that the changes could not be laid, 96 that we broke.
umask 022
HERE=/.selfheal/changes
OUT=/.selfheal/out
REPORT_BLOCKS=131072 # of 512 bytes: the largest report
FILE_BLOCKS=2048     # the largest changed file
MOST_FILES=20000     # more changed files are not looked at
MOST_BYTES=268435456 # and not more bytes than this together

# ROOT ID TIMEOUT PROCESSES MEMORY DISK (KiB) HEAD (blocks of 4096) TAIL (bytes) NETWORK SERVICES
# (HOST:PORT …) LINE REPORTS SUPPORT; add_env, add_globs
. "$HERE/settings" || exit 96
rm -rf "$OUT" && mkdir -p "$OUT/tree" "$OUT/reports" && chmod 700 "$OUT" || exit 96

# An image may have folders of the tree on its PATH: the command gets them, we look elsewhere first.
ITS_PATH=$PATH
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH

# What the engine puts into every process. A proxy may carry a password, and is of no use without network.
for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z_0-9]*\)=.*/\1/p'); do
  case $name in
    OTEL_* | TRACEPARENT | TRACESTATE | BAGGAGE | DAGGER_* | _DAGGER_* | _EXPERIMENTAL_* | NONCE) unset "$name" ;;
    *_PROXY | *_proxy) [ "$NETWORK" ] || unset "$name" ;;
  esac
done

as_user() {
  setpriv --reuid="$ID" --regid="$ID" --clear-groups --no-new-privs --inh-caps=-all "$@"
}

kill_all() {
  as_user sh -c 'kill -9 -1' 2>/dev/null
}

lay() {
  as_user sh "$HERE/lay.sh" "$HERE" "$ROOT" >&2 || exit 95
  mkdir -p /tmp /var/tmp && chmod 1777 /tmp /var/tmp
  rm -rf "$REPORTS" "$SUPPORT"
  mkdir "$REPORTS" "$SUPPORT" && chmod 777 "$REPORTS" || exit 96
  [ ! -d "$HERE/support" ] || cp -R "$HERE/support/." "$SUPPORT/" || exit 96
}

# Standard input: all that the command prints. Keeps the first and the last of it, and counts what follows the first.
keep_output() {
  mkfifo "$OUT/counted"
  dd bs=4096 count="$HEAD" iflag=fullblock of="$OUT/head" 2>/dev/null
  wc -c <"$OUT/counted" >"$OUT/beyond" &
  tee "$OUT/counted" | tail -c "$TAIL" >"$OUT/tail"
  wait
  rm -f "$OUT/counted"
}

# No engine limits one run: look five times a second at what the user's processes hold, how many they are, and how much
# less the disk has than when the run began. Others write there, too: what counts is what the user's new files take.
watch() {
  most=0
  room=$BEGAN_WITH
  while sleep 0.2; do
    now=$(cat /proc/[0-9]*/status 2>/dev/null | awk -v id="$ID" '
      /^Uid:/ { mine = $2 == id }
      /^VmRSS:/ && mine { held += $2 }
      /^Threads:/ && mine { threads += $2 }
      END { printf "%d %d", held, threads }')
    threads=${now#* }
    [ "${threads:-0}" -le "$most" ] || { most=$threads && echo "$most" >"$OUT/most"; }
    if [ "${now% *}" -gt "$MEMORY" ]; then
      : >"$OUT/memory"
      kill_all
    elif [ $((room - $(free_space))) -gt "$DISK" ]; then
      room=$(free_space)
      [ "$(written)" -le "$DISK" ] || : >"$OUT/disk"
      [ ! -e "$OUT/disk" ] || kill_all
    fi
  done
}

free_space() { # KiB
  df -Pk "$ROOT" | awk 'NR == 2 { printf "%d", $4 }'
}

written() { # KiB
  find "$ROOT" /home/selfheal /tmp /var/tmp -xdev -user "$ID" -newer "$OUT/stamp" -type f -exec stat -c %b {} + 2>/dev/null |
    awk '{ n += $1 } END { printf "%d", n / 2 }'
}

# GNU's find compares file times to the tick of the kernel, and the time of the last change of any kind. That of busybox
# compares whole seconds: what was laid just before is then found too, and known for what it is by its content.
find_is_exact() {
  find / -maxdepth 0 -cnewer / >/dev/null 2>&1
}

set_stamp() {
  if find_is_exact; then
    touch "$OUT/stamp" && sleep 0.02
  else
    touch -d "@$(($(date +%s) - 1))" "$OUT/stamp"
  fi
}

# Out of memory, the kernel takes the command first: not us, not the engine.
FIRST_TO_GO='echo 1000 >/proc/self/oom_score_adj; exec "$@"'

run() {
  mkfifo "$OUT/printed"
  keep_output <"$OUT/printed" &
  keeper=$!
  set_stamp
  BEGAN_WITH=$(free_space)
  watch &
  watcher=$!
  read -r began _ </proc/uptime
  (
    cd "$ROOT" || exit 96
    set -- sh -c "$LINE"
    add_env "$@"
  ) </dev/null >"$OUT/printed" 2>&1
  code=$?
  [ "$code" -eq 0 ] || ask_services
  read -r ended _ </proc/uptime
  kill_all
  kill "$watcher"
  # faster than the watch looks
  [ $((BEGAN_WITH - $(free_space))) -le "$DISK" ] || [ "$(written)" -le "$DISK" ] || : >"$OUT/disk"
  wait "$keeper"
  rm -f "$OUT/printed"
  printf '{"exit-code": %d}\n' "$code" >"$OUT/status"
  echo "$began $ended" >"$OUT/times"
}

# With what the image has; where that is nothing, nobody can tell.
answers() { # HOST PORT
  if command -v bash >/dev/null; then
    timeout 3 bash -c ': >/dev/tcp/$0/$1' "$1" "$2"
  elif command -v python3 >/dev/null; then
    timeout 3 python3 -c 'import socket, sys; socket.create_connection(sys.argv[1:3])' "$1" "$2"
  elif command -v nc >/dev/null; then
    timeout 3 nc -z "$1" "$2"
  fi 2>/dev/null
}

# A step that failed because a service died says nothing of the code.
ask_services() {
  for place in $SERVICES; do
    answers "${place%:*}" "${place#*:}" || : >"$OUT/service"
  done
}

# The last words of add_env: everything that stands between us and the command.
confined() {
  timeout -k 10 "$TIMEOUT" sh -c "$FIRST_TO_GO" sh \
    prlimit --nproc="$PROCESSES" --core=0 \
    setpriv --reuid="$ID" --regid="$ID" --clear-groups --no-new-privs --inh-caps=-all \
    env PATH="$ITS_PATH" HOME=/home/selfheal USER=selfheal LOGNAME=selfheal TMPDIR=/tmp LANG="${LANG:-C.UTF-8}" "$@"
}

# Regular files and links that are newer than the stamp; big ones only where a glob of the step's reports names them.
list_changed() {
  newer="-newer $OUT/stamp"
  if find_is_exact; then
    newer="( -newer $OUT/stamp -o -cnewer $OUT/stamp )" # a renamed or back-dated file as well
  fi
  set -- -size -$((FILE_BLOCKS + 1))
  add_globs "$@"
}

find_changed() {
  # $newer is several words
  # shellcheck disable=SC2086
  find . \( -name __pycache__ -o -path ./.git \) -prune -o $newer \( -type l -o -type f \( "$@" \) \) -print0
}

copy() { # standard input: paths, each ended by a zero byte; $1: where to
  xargs -0 sh -c 'into=$0; [ $# -eq 0 ] || cp -P -p --parents -- "$@" "$into/"' "$1" 2>/dev/null
}

fits() { # $1: a list of paths
  [ "$(tr -cd '\0' <"$1" | wc -c)" -le "$MOST_FILES" ] &&
    [ "$(xargs -0 sh -c '[ $# -eq 0 ] || stat -c %s -- "$@"' sh <"$1" | awk '{ n += $1 } END { printf "%.0f", n }')" -le "$MOST_BYTES" ]
}

collect() {
  if cd "$ROOT"; then
    list_changed >"$OUT/changed"
    if fits "$OUT/changed"; then copy "$OUT/tree" <"$OUT/changed"; else : >"$OUT/flood"; fi
    cat "$HERE/known" 2>/dev/null |
      xargs -0 sh -c 'for path; do [ -e "$path" ] || [ -L "$path" ] || printf "%s\0" "$path"; done' sh >"$OUT/missing"
  else
    cp "$HERE/known" "$OUT/missing" # the whole tree is gone
  fi
  if [ ! -L "$REPORTS" ] && cd "$REPORTS"; then
    find . -type f -size -$((REPORT_BLOCKS + 1)) -print0 >"$OUT/reported"
    if fits "$OUT/reported"; then copy "$OUT/reports" <"$OUT/reported"; fi
  fi
  free_space >"$OUT/room"
  cd "$OUT" && tar -cf left.tar status reports tree && rm -rf reports tree changed reported stamp
}

lay
run
collect
chmod 644 "$OUT"/* || exit 96
