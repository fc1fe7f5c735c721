#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# demo.sh: from a fresh Debian 12 to a picture of a machine's screen, in one command.
#
# Installs the packages that are missing (as root, or with sudo), builds the library into build/, makes Demo.utm of the
# distribution's kernel and a small program of ours, boots it, saves its picture as screen.png, types a key, saves the
# new picture as screen-after-key.png, and shuts the guest down. Safe to repeat: what is there already is used again.
set -eu

cd "$(dirname "$0")/../.."
. examples/demo/packages.sh
started=$(date +%s)
step() { printf '\n== %s (%ds)\n' "$*" $(($(date +%s) - started)); }

step "1/4 packages"
# shellcheck disable=SC2086
need_packages $build_packages $run_packages $demo_packages
echo "all there"

step "2/4 building libutm into build/"
[ -f build/build.ninja ] || meson setup build
ninja -C build src/console/engine/utm-console-engine examples/boot-and-watch examples/utmctl/utmctl

step "3/4 making Demo.utm"
# The kernel's package is downloaded where none is installed; that needs package lists.
if ! ls /boot/vmlinuz-*-amd64 >/dev/null 2>&1 && ! apt-cache show linux-image-amd64 >/dev/null 2>&1; then
	missing=" (package lists)"
	as_root apt-get update -q
fi
examples/demo/make-demo.sh Demo.utm

step "4/4 booting it (an emulated processor takes some seconds)"
build/run boot-and-watch Demo.utm .

step "done: see screen.png and screen-after-key.png"
