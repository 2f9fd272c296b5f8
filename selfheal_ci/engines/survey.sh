#!/bin/sh
# Lists what setup made in the tree's folder, $1: each file newer than $3, from before setup, with its digest; each file of
# the tree that is gone ($2: their names, each ended by a zero byte); each copy that pip made of the tree. What was fetched
# and what is a cache is left out. sha256sum begins a name with an odd letter with a backslash: that one is not read.
cd "$1" || exit 0
timeout 60 find . \( -name .venv -o -name venv -o -name node_modules -o -name .tox -o -name .nox -o -name vendor \
  -o -name .bundle -o -name __pycache__ -o -name .git \) -prune -o -newer "$3" -type f -exec sha256sum {} +
xargs -0 sh -c 'for path; do [ -e "$path" ] || [ -L "$path" ] || printf "gone  %s\n" "$path"; done' sh <"$2"

list_copies() { # $1: what to put before a path; below the folder that we are in
  find . -name direct_url.json -path '*.dist-info/*' -newer "$2" | while IFS= read -r told; do
    if grep -q "\"file://$3" "$told" && ! grep -q '"editable": *true' "$told"; then
      path=${told%/*}
      printf 'copy  %s\n' "$1${path#./}"
    fi
  done
}
list_copies '' "$3" "$1"
[ ! -d "$HOME/.local" ] || { cd "$HOME/.local" && list_copies '~/.local/' "$3" "$1"; }
exit 0
