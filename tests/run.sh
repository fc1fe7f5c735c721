#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh: everything that can be checked, in one command. Installs the packages that are missing, builds with gcc and clang
# (warnings are errors), and runs the tests plain, under AddressSanitizer and UndefinedBehaviorSanitizer, under
# ThreadSanitizer and under valgrind. The last line is `N passed, N failed, N skipped`, over all test cases of all these.
#
#     tests/run.sh            everything
#     tests/run.sh STAGE...   some of: plain clang asan tsan valgrind fuzz coverage bench
#
# With UTM_BINDINGS=enabled a binding whose toolchain is missing is a failure; else it is skipped, which the setup says.
#
# Tests wait much of the time, so the later stages' builds go on in the background meanwhile, with what is left of the
# processors.
set -eu

cd "$(dirname "$0")/.."
. examples/demo/packages.sh
stages=${*:-plain clang asan tsan valgrind fuzz coverage bench}
jobs=$(nproc)
work=$(mktemp -d)
results=$work/results
touch "$results"
ahead=
trap 'rm -rf "$work"' EXIT
started=$(date +%s)

test_packages="g++ clang libclang-rt-14-dev valgrind libc6-dbg libgtk-3-dev xvfb xauth qemu-guest-agent
	qemu-system-arm qemu-system-mips qemu-system-misc qemu-system-ppc qemu-system-sparc ovmf qemu-efi-aarch64 qemu-efi-arm swtpm
	grub-rescue-pc memtest86+ debian-installer-12-netboot-amd64 debian-installer-12-netboot-arm64
	librust-futures-core-dev librust-serde-dev swig python3-dev"
# No GLib slices or caches, so that every block is seen by itself; and no library's own log handler is fatal.
export G_SLICE=always-malloc

step() { printf '\n== %s (%ds)\n' "$*" $(($(date +%s) - started)); }

# record LABEL passed|failed: for steps that are one test case by themselves.
record() {
	case $2 in
	passed) echo "$1 1 0 0" >> "$results" ;;
	*) echo "$1 0 1 0" >> "$results"; echo "$1: failed" ;;
	esac
}

# What is built how: the bindings once. The sanitizers find no more at -O2, which takes longer to compile.
options_of() {
	for binding in python rust swift; do
		[ "$1" = gcc ] && echo "-D$binding=${UTM_BINDINGS:-auto}" || echo "-D$binding=disabled"
	done
	case $1 in
	asan) echo "-Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false" ;;
	tsan) echo "-Doptimization=1 -Db_sanitize=thread -Db_lundef=false" ;;
	fuzz) echo "-Dfuzz=true -Dspice=disabled -Dgtk=disabled -Db_sanitize=address,undefined -Db_lundef=false" ;;
	esac
}

compiler_of() {
	case $1 in
	clang | fuzz) echo /usr/bin/clang ;;
	*) echo "${CC:-cc}" ;;
	esac
}

# Of the fuzz build only they: what else there is does not link with half a fuzzer in it.
fuzz_targets() {
	ninja -C build-fuzz -t targets all | sed -n 's/^\(tests\/fuzz\/fuzz-[a-z-]*\): .*/\1/p'
}

# make NAME [COMMAND...]: makes build-NAME, by way of COMMAND
make() {
	name=$1
	shift
	# shellcheck disable=SC2046
	[ -f "build-$name/build.ninja" ] ||
		CC=$(compiler_of "$name") meson setup --werror "build-$name" $(options_of "$name") || return 1
	# shellcheck disable=SC2046
	"$@" ninja -C "build-$name" -j "$jobs" $([ "$name" != fuzz ] || fuzz_targets)
}

# make_ahead STAGE...: what they need, one after the other
make_ahead() {
	for stage; do
		case $stage in
		clang | asan | tsan | fuzz) make "$stage" nice -n 19 || true ;;
		esac
		touch "$work/$stage.made"
	done > "$work/ahead.log" 2>&1
}

# build NAME: what is made ahead is waited for; what failed then fails again, and shows why.
build() {
	while [ -n "$ahead" ] && [ ! -e "$work/$1.made" ] && kill -0 "$ahead" 2> /dev/null; do
		sleep 1
	done
	if make "$1"; then record "$1-build" passed; else record "$1-build" failed; return 1; fi
}

# suite LABEL DIRECTORY ARGUMENTS...
suite() {
	label=$1 directory=$2
	shift 2
	rm -f "$directory/meson-logs/$label"*.json
	meson test -C "$directory" --no-rebuild --num-processes "$jobs" --logbase "$label" --print-errorlogs "$@" || true
	python3 tests/count.py "$results" "$label" "$directory/meson-logs/$label"*.json
}

stage_plain() {
	step "gcc: build and test"
	build gcc || return 0
	# shellcheck disable=SC2086
	make_ahead $stages &
	ahead=$!
	suite gcc build-gcc --no-suite machines --no-suite guests
	step "real machines and guests"
	suite real build-gcc --suite machines --suite guests
	sed -n 's/^# | //p' build-gcc/meson-logs/real.txt || true
}

stage_clang() {
	step "clang: build"
	build clang || return 0
	suite clang build-clang --suite unit --suite api
}

stage_asan() {
	step "AddressSanitizer and UndefinedBehaviorSanitizer: build and test"
	build asan || return 0
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	suite asan build-asan --no-suite install --no-suite abi --no-suite crash --no-suite machines --no-suite guests \
		--timeout-multiplier 4
	unset ASAN_OPTIONS UBSAN_OPTIONS
}

stage_tsan() {
	step "ThreadSanitizer: context, queue, monitor, rings"
	build tsan || return 0
	# GLib is not built for it: only what our own code does with its pthread locks is seen, and only that is asked for.
	TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp halt_on_error=0 exitcode=66" \
		suite tsan build-tsan --suite unit --suite monitor --suite api --timeout-multiplier 6
}

# valgrind 3.19 knows no pidfd, runs what a child executes through itself, and turns vfork into fork: test-host, test-proof and
# test-process, which are about just that, say nothing there. What mostly waits for QEMU, or builds thousands of command lines, is
# left to the address sanitizer; of whole machines the demo is run.
stage_valgrind() {
	step "valgrind: every test that is a program of ours"
	[ -f build-gcc/build.ninja ] || build gcc || return 0
	valgrind="valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
		--trace-children=no --child-silent-after-fork=yes --suppressions=$PWD/tests/valgrind.supp"
	# shellcheck disable=SC2046
	suite valgrind build-gcc $(python3 tests/c-tests.py build-gcc unit,monitor,golden,api test-host test-process \
		test-proof test-structure test-real-qemu test-hardware test-findings) \
		--timeout-multiplier 20 --wrapper "$valgrind"
	UTM_TEST_WRAPPER=$valgrind suite valgrind-demo build-gcc demo --timeout-multiplier 4
}

stage_fuzz() {
	step "fuzz targets, ${FUZZ_SECONDS:=10} seconds each"
	build fuzz || return 0
	fuzz_targets | FUZZ_SECONDS=$FUZZ_SECONDS xargs -P "$jobs" -n 1 tests/fuzz/run.sh "$results" || true
}

stage_coverage() {
	step "coverage of the command line's builder"
	if python3 tests/coverage.py build-coverage; then record coverage passed; else record coverage failed; fi
}

stage_bench() {
	step "benchmarks (ratios; nothing passes or fails by time)"
	[ -f build-gcc/build.ninja ] || return 0
	meson test -C build-gcc --no-rebuild --benchmark --verbose --logbase bench || true
}

step "packages"
# shellcheck disable=SC2086
need_packages $build_packages $run_packages $demo_packages $test_packages
for stage in $stages; do
	"stage_$stage"
done
step "done"
python3 tests/count.py "$results"
