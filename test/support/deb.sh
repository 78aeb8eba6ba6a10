#!/bin/sh
# Unpacks a package of this machine's Debian, once and without installing it, and prints where it is. Root, with the network.
# usage: deb.sh NAME
set -eu
folder=/var/cache/notp-tests
root=$folder/deb-$1

if [ ! -e "$root" ]; then
  mkdir -p "$folder"
  work=$(mktemp -d "$folder/.deb-$1-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get --quiet download "$1" >&2)
  dpkg-deb --extract "$work"/*.deb "$work/root"
  # Another test file may have been faster.
  mv -T "$work/root" "$root" 2>/dev/null || [ -e "$root" ]
fi
echo "$root"
