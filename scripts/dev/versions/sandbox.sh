#!/bin/sh
# sandbox.sh WORK CHECKOUT TREE NODE PLACE COMMAND [ARGUMENT...]
#
# Runs a command in a mount namespace of its own (versions.mjs starts us in it, with unshare(1)), in which
# - the checkout is a layer above the real one, so that builds and results of this run are not written there;
# - the Debian in the folder TREE ('-': none) is a layer, too, with this system's /proc, /sys, /dev, /tmp, its checkout and its Node;
# - the Node in the folder NODE ('-': none) is in the place of this system's.
# PLACE is `inside` to run the command in TREE, or `outside`: PROC_BOX_VM_ROOT then names it. All mounts go with the namespace.
set -eu
work=$1 checkout=$2 tree=$3 node=$4 place=$5
shift 5

# Overlayfs takes no overlay, which /tmp of a container may be, as its upper layer.
layers=$work/layers
mkdir -p "$layers"
mount -t tmpfs -o mode=755 proc_box-versions "$layers"
layer() { # NAME LOWER TARGET: TARGET becomes a writable layer above LOWER
  mkdir "$layers/$1.upper" "$layers/$1.work"
  mount -t overlay overlay -o "lowerdir=$2,upperdir=$layers/$1.upper,workdir=$layers/$1.work" "$3"
}
over() { # FILE TARGET: FILE takes the place of TARGET, which is made if it does not exist
  mkdir -p "$(dirname "$2")"
  [ -e "$2" ] || : >"$2"
  mount --bind "$1" "$2"
}

layer checkout "$checkout" "$checkout"
cd "$checkout"
own=$(readlink -f "$(command -v node)")
prefix=$(dirname "$(dirname "$own")")
if [ "$node" != - ]; then
  over "$node/bin/node" "$own"
  # The headers beside it: `node-gyp` would download others.
  [ ! -d "$prefix/include/node" ] || mount --bind "$node/include/node" "$prefix/include/node"
  export npm_config_nodedir="$node"
fi
[ "$tree" != - ] || exec "$@"

root=$layers/root
mkdir "$root"
layer tree "$tree" "$root"
over "$own" "$root$own"
[ "$own" = "$(command -v node)" ] || ln -sfn "$own" "$root/usr/local/bin/node"
for file in hosts resolv.conf; do over "/etc/$file" "$root/etc/$file"; done
if [ "$place" = outside ]; then
  mkdir -p "$root$checkout"
  mount --rbind "$checkout" "$root$checkout"
  PROC_BOX_VM_ROOT=$root exec "$@"
fi
for folder in proc sys dev tmp; do mount --rbind "/$folder" "$root/$folder"; done
for folder in "$checkout" "$work"; do
  mkdir -p "$root$folder"
  mount --rbind "$folder" "$root$folder"
done
exec chroot "$root" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$checkout" "$@"
