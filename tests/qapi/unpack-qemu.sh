#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# unpack-qemu.sh: a QEMU of another release beside the installed one, for tests. Fetches its binary packages, and the
# libraries that this machine lacks for them, from another suite of the distribution, and unpacks them. Nothing is
# installed: apt works on lists of its own and only reads which packages the machine has.
#
#     tests/qapi/unpack-qemu.sh [--all] DIRECTORY [SUITE]
#
# SUITE is this machine's suite of backports if not given. DIRECTORY is made, or brought up to date. In it
#     bin/     qemu-system-x86_64, qemu-system-aarch64, with --all those of every architecture, qemu-storage-daemon,
#              qemu-img, qemu-ga: scripts that run them
#     root/    what the packages contain
#     apt/     apt's lists and archives; may be removed
set -eu

programs="qemu-system-x86_64 qemu-system-aarch64 qemu-storage-daemon qemu-img qemu-ga"
packages="qemu-system-x86 qemu-system-arm qemu-system-data qemu-system-modules-spice qemu-utils qemu-guest-agent"
others="qemu-system-mips qemu-system-misc qemu-system-ppc qemu-system-riscv qemu-system-s390x qemu-system-sparc"

fail() {
	echo "$0: $*" >&2
	exit 1
}

all=
[ "${1:-}" != --all ] || { all=yes; shift; }
[ $# = 1 ] || [ $# = 2 ] || { sed -n '4,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command -v apt-get > /dev/null && command -v dpkg > /dev/null || fail "needs apt-get and dpkg"
codename=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
suite=${2:-$codename-backports}
mkdir -p "$1/apt/lists/partial" "$1/apt/archives/partial" "$1/apt/none" "$1/bin"
directory=$(cd "$1" && pwd)
apt=$directory/apt

# Where the machine has its own suite from, it has the others from too.
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $codename" 'Component: main' |
	sort -u | head -n 1)
[ -n "$archive" ] || fail "apt on this machine knows no source of '$codename': run apt-get update"
for name in "$codename" "$suite"; do
	echo "deb $archive $name main"
done > "$apt/sources.list"

cat > "$apt/apt.conf" <<END
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none";
Dir::Etc::preferences "$apt/none";
Dir::Etc::preferencesparts "$apt/none";
Dir::State::lists "$apt/lists";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache "$apt";
Dir::Cache::archives "archives";
Debug::NoLocking "true";
APT::Sandbox::User "$(id -un)";
APT::Install-Recommends "false";
END
export APT_CONFIG="$apt/apt.conf"

apt-get -q update
# What is there and new enough is used where it is; the rest is what apt would install.
rm -f "$apt/archives"/*.deb
# Releases cut their programs into packages in different ways.
[ -z "$all" ] || for name in $others; do
	! apt-cache show "$name" > /dev/null 2>&1 || packages="$packages $name"
done
# shellcheck disable=SC2086
apt-get -q -y --download-only --reinstall -t "$suite" install $packages

rm -rf "$directory/root"
for package in "$apt/archives"/*.deb; do
	dpkg -x "$package" "$directory/root"
done

# A QEMU takes modules of its own build only, and looks for firmware where the host's packages have it.
cat > "$directory/bin/run" <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
root=${here%/bin}/root
name=$(basename "$0")
for libraries in "$root"/lib/*-linux-* "$root"/usr/lib/*-linux-*; do
	[ -d "$libraries" ] && export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
for modules in "$root"/usr/lib/*/qemu; do
	[ -d "$modules" ] && export QEMU_MODULE_DIR="$modules"
done
for program in "$root/usr/bin/$name" "$root/usr/sbin/$name"; do
	[ ! -x "$program" ] || break
done
case $name in
qemu-system-*) exec "$program" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@" ;;
*) exec "$program" "$@" ;;
esac
END
chmod +x "$directory/bin/run"
[ -z "$all" ] || for program in "$directory/root/usr/bin"/qemu-system-*; do
	name=$(basename "$program")
	case " $programs " in *" $name "*) ;; *) programs="$programs $name" ;; esac
done
for name in $programs; do
	ln -sf run "$directory/bin/$name"
	"$directory/bin/$name" --version > "$apt/version" 2>&1 || fail "$name does not run: $(tail -n 1 "$apt/version")"
	head -n 1 "$apt/version"
done
