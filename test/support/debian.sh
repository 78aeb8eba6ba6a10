#!/bin/sh
# Makes the root of a small Debian of its own, once for this machine, and prints where it is. Root, with the network.
# usage: debian.sh trixie     Debian 13 with sshd, sudo and what the tests call
#        debian.sh bookworm   Debian 12 with the same, and with the downloaded packages that bring its sshd, PAM and sudo to Debian 13
set -eu
release=$1
folder=/var/cache/notp-tests
# Made anew where this file has changed.
root=$folder/$release-$(sha256sum "$0" | cut -c 1-12)
packages=systemd-sysv,dbus,libpam-systemd,openssh-server,openssh-client,sudo,python3,libatomic1,rsync
upgraded='openssh-server openssh-client sudo libpam-modules libpam-runtime'

if [ ! -e "$root" ]; then
  # Where this machine has its own packages from.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  mkdir -p "$folder"
  work=$(mktemp -d "$folder/.$release-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  set -- --quiet --mode=root --variant=minbase --format=directory --include="$packages" --keyring=/usr/share/keyrings \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*'
  if [ "$release" = bookworm ]; then
    next="deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main"
    set -- "$@" --skip=cleanup/apt \
      --customize-hook="echo '$next' >\"\$1/etc/apt/sources.list.d/next.list\"" \
      --customize-hook='cp /usr/share/keyrings/debian-archive-keyring.gpg "$1/usr/share/keyrings/"' \
      --customize-hook='chroot "$1" apt-get -q update' \
      --customize-hook="chroot \"\$1\" apt-get -q -y --download-only install $upgraded"
  fi
  mmdebstrap "$@" "$release" "$work/root" "$mirror" >&2
  # Another test file may have been faster.
  mv -T "$work/root" "$root" 2>/dev/null || [ -e "$root" ]
  # Those of an earlier version of this file.
  find "$folder" -mindepth 1 -maxdepth 1 -name "$release-*" ! -path "$root" -exec rm -rf {} +
fi
echo "$root"
