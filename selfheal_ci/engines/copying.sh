# Where this machine cannot lay folders over each other: every run gets a copy of the tree and of HOME, and what it changed
# is found by comparing. Standard input is our pipe; the words are the inner sandbox. 95: the copy could not be made.
exec 8>&0 </dev/null
[ ! -e /low/seccomp ] || exec 7</low/seccomp

# Lay a folder over the copy: files and folders, and character devices that stand for what is deleted.
lay() {
  cd "$1" || exit 95
  find . -mindepth 1 -type d -print0 |
    in_copy 'for path; do { [ -d "$path" ] && [ ! -L "$path" ]; } || rm -f -- "$path"; done'
  find . ! -type d -print0 | in_copy 'rm -rf -- "$@"'
  find . ! -type c -print0 | tar --null --no-recursion -T - -cf - | tar --warning=no-timestamp -xpf - -C /scratch/tree || exit 95
}

in_copy() {
  xargs -0 sh -c "cd /scratch/tree && $1" sh || exit 95
}

list() {
  find tree -name __pycache__ -prune -o -path tree/.git -prune -o ! -type d "$@" -print0 2>/dev/null | sort -z
}

cp -a /low/tree/. /scratch/tree && cp -a /low/home/. /scratch/home || exit 95
for layer in /low/layers/*; do
  [ ! -d "$layer" ] || lay "$layer"
done
cd /scratch && list >/told/before && touch /told/stamp && sleep 0.02 || exit 95
"$@" 8>&- 9>/told/status
df -P -k /scratch >/told/disk
sh -c 'echo $$' >/told/started
list >/told/after
comm -z -23 /told/before /told/after >/told/gone
{ list -cnewer /told/stamp; comm -z -13 /told/before /told/after; } | sort -zu >/told/changed
exec tar --sparse -cf - -C /told status disk started gone -C /scratch reports --null --no-recursion -T /told/changed >&8 2>/dev/null
