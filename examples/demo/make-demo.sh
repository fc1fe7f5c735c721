#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make-demo.sh BUNDLE.utm
#
# Makes a small machine that boots Linux in some seconds without any disk: the kernel and a few modules come from the
# distribution's package, everything else is guest/init.c. The kernel need not be installed; then its package is
# downloaded and unpacked into build-demo-kernel/. A bundle that is newer than all it is made of is left alone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bundle=${1:?usage: make-demo.sh BUNDLE.utm}
case $bundle in */*) ;; *) bundle=./$bundle ;; esac
work=$bundle.work
# Where a downloaded kernel stays, for the next bundle.
cache=$here/../../build-demo-kernel
[ -w "$here/../.." ] || cache=$work

# What the guest needs: screen, absolute pointer over USB, events of keys and of the power button. Keys come from the
# PS/2 controller, whose driver is part of the kernel itself.
modules="virtio_pci virtio_gpu evdev button uhci_hcd ehci_pci usbhid hid_generic"

say() { printf 'make-demo: %s\n' "$*"; }
fail() { printf 'make-demo: %s\n' "$*" >&2; exit 1; }

find_installed_kernel() {
	for kernel in $(ls -1 /boot/vmlinuz-*-amd64 2>/dev/null | sort -Vr); do
		version=${kernel#/boot/vmlinuz-}
		if [ -r "$kernel" ] && [ -f "/lib/modules/$version/modules.dep" ]; then
			root=
			return 0
		fi
	done
	return 1
}

unpack_kernel_package() {
	command -v apt-get >/dev/null || fail "no kernel in /boot and no apt-get to fetch one with"
	package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n1)
	[ -n "$package" ] || fail "the package lists do not know linux-image-amd64; run apt-get update"
	version=${package#linux-image-}
	root=$cache/$package
	if [ ! -f "$root/done" ]; then
		say "fetching $package"
		rm -rf "$root"
		mkdir -p "$root"
		(cd "$root" && apt-get download -q -o APT::Sandbox::User=root "$package") || fail "cannot download $package"
		dpkg-deb -x "$root"/*.deb "$root"
		rm -f "$root"/*.deb
		depmod -b "$root" "$version"
		touch "$root/done"
	fi
	kernel=$root/boot/vmlinuz-$version
}

# Names of module files in the order in which they need each other.
list_modules() {
	for module in $modules; do
		modprobe ${root:+-d "$root"} -S "$version" --show-depends "$module" || fail "no module $module in $version"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

pack_modules() {
	mkdir -p "$stage/modules"
	list_modules > "$stage/files"
	while read -r file; do
		name=$(basename "$file")
		case $file in
		*.xz) name=${name%.xz}; xz -dc "$file" > "$stage/modules/$name" ;;
		*.zst) name=${name%.zst}; zstd -qdc "$file" > "$stage/modules/$name" ;;
		*) cp "$file" "$stage/modules/$name" ;;
		esac
		echo "$name" >> "$stage/modules/list"
	done < "$stage/files"
	rm "$stage/files"
}

build_init() {
	${CC:-cc} -O2 -Wall -Wextra -static -s -I/usr/include/libdrm -o "$stage/init" \
		"$here/guest/init.c" "$here/guest/picture.c" || fail "cannot build the guest's init"
}

# Not compressed: unpacking would cost an emulated processor more than reading costs.
pack_initrd() {
	(cd "$stage" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible --owner 0:0) > "$1"
}

is_current() {
	[ -f "$bundle/config.plist" ] || return 1
	for source in "$here"/guest/* "$here/config.plist.in" "$here/make-demo.sh"; do
		[ "$bundle/config.plist" -nt "$source" ] || return 1
	done
}

PATH=$PATH:/usr/sbin:/sbin
if is_current; then
	say "$bundle is up to date"
	exit 0
fi
for tool in cpio modprobe depmod "${CC:-cc}"; do
	command -v "${tool%% *}" >/dev/null || fail "$tool is missing (packages: cpio kmod gcc libc6-dev libdrm-dev)"
done

mkdir -p "$work"
stage=$(mktemp -d "$work/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT
find_installed_kernel || unpack_kernel_package
say "kernel $version"
build_init
pack_modules

new=$work/new.utm
rm -rf "$new"
mkdir -p "$new/Data"
pack_initrd "$new/Data/initrd.img"
cp "$kernel" "$new/Data/vmlinuz"
chmod 0644 "$new/Data/vmlinuz"
uuid=$(tr a-f A-F < /proc/sys/kernel/random/uuid)
sed "s/@UUID@/$uuid/" "$here/config.plist.in" > "$new/config.plist"
if [ -e "$bundle" ] && [ ! -f "$bundle/config.plist" ]; then
	echo "make-demo.sh: $bundle is no bundle; name another place" >&2
	exit 1
fi
rm -rf "$bundle"
mv "$new" "$bundle"
rm -rf "$stage"
rmdir "$work" 2>/dev/null || true
say "$bundle is ready"
