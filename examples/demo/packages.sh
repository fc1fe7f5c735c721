# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by demo.sh and tests/run.sh: installs what is missing of Debian's packages, and says so. Nothing is done when
# everything is there. Needs root, or sudo, only when something is missing.

build_packages="gcc libc6-dev meson ninja-build pkg-config python3 libglib2.0-dev libjson-glib-dev libplist-dev libpng-dev
	libspice-client-glib-2.0-dev"
run_packages="qemu-system-x86 qemu-utils"
demo_packages="libdrm-dev cpio kmod"

have_package() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "$0: these packages are missing and need root, or sudo, to be installed:$missing" >&2
		exit 1
	fi
}

need_packages() {
	missing=
	command -v dpkg-query >/dev/null || { echo "$0: no Debian packages here; assuming that all is installed"; return 0; }
	for package; do
		have_package "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "== installing packages:$missing"
	as_root apt-get update -q
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}
