#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh: everything that can be checked, in one command. Installs the packages that are missing, builds with gcc and clang
# (warnings are errors), and runs the tests plain, under AddressSanitizer and UndefinedBehaviorSanitizer, under
# ThreadSanitizer and under valgrind. The last line is `N passed, N failed, N skipped`, over all test cases of all these.
#
#     tests/run.sh            everything
#     tests/run.sh STAGE...   some of: plain clang asan tsan valgrind fuzz coverage bench
set -eu

cd "$(dirname "$0")/.."
. examples/demo/packages.sh
stages=${*:-plain clang asan tsan valgrind fuzz coverage bench}
jobs=$(nproc)
results=$(mktemp)
trap 'rm -f "$results"' EXIT
started=$(date +%s)

test_packages="g++ clang libclang-rt-14-dev valgrind libc6-dbg libgtk-3-dev xvfb xauth qemu-guest-agent
	qemu-system-arm qemu-system-mips qemu-system-misc qemu-system-ppc qemu-system-sparc ovmf qemu-efi-aarch64 qemu-efi-arm swtpm
	grub-rescue-pc memtest86+ debian-installer-12-netboot-amd64 debian-installer-12-netboot-arm64"
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

# configure DIRECTORY OPTIONS...
configure() {
	[ -f "$1/build.ninja" ] || meson setup --werror "$@"
}

# build LABEL DIRECTORY OPTIONS...
build() {
	label=$1 directory=$2
	shift
	configure "$@" || { record "$label" failed; return 1; }
	if ninja -C "$directory" -j "$jobs"; then record "$label" passed; else record "$label" failed; return 1; fi
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
	build gcc-build build-gcc || return 0
	suite gcc build-gcc --no-suite machines --no-suite guests
	step "real machines and guests"
	suite real build-gcc --suite machines --suite guests
	sed -n 's/^# | //p' build-gcc/meson-logs/real.txt || true
}

stage_clang() {
	step "clang: build"
	CC=/usr/bin/clang build clang-build build-clang || return 0
	suite clang build-clang --suite unit --suite api
}

stage_asan() {
	step "AddressSanitizer and UndefinedBehaviorSanitizer: build and test"
	build asan-build build-asan -Db_sanitize=address,undefined -Db_lundef=false || return 0
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	suite asan build-asan --no-suite install --no-suite abi --no-suite crash --no-suite machines --no-suite guests \
		--timeout-multiplier 4
	unset ASAN_OPTIONS UBSAN_OPTIONS
}

stage_tsan() {
	step "ThreadSanitizer: context, queue, monitor, rings"
	build tsan-build build-tsan -Db_sanitize=thread -Db_lundef=false || return 0
	# GLib is not built for it: only what our own code does with its pthread locks is seen, and only that is asked for.
	TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp halt_on_error=0 exitcode=66" \
		suite tsan build-tsan --suite unit --suite monitor --suite api --timeout-multiplier 6
}

# valgrind 3.19 knows no pidfd, runs what a child executes through itself, and turns vfork into fork: test-host, test-proof and
# test-process, which are about just that, say nothing there. test-image is about what qemu-img does, and the time that takes;
# test-structure builds thousands of command lines, which the address sanitizer looks at.
stage_valgrind() {
	step "valgrind: every test that is a program of ours"
	[ -f build-gcc/build.ninja ] || build gcc-build build-gcc || return 0
	valgrind="valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
		--trace-children=no --child-silent-after-fork=yes --suppressions=$PWD/tests/valgrind.supp"
	# shellcheck disable=SC2046
	suite valgrind build-gcc $(python3 tests/c-tests.py build-gcc unit,monitor,golden,api,console,vm test-host test-process \
		test-proof test-structure test-image) \
		--timeout-multiplier 20 --wrapper "$valgrind"
	UTM_TEST_WRAPPER=$valgrind suite valgrind-demo build-gcc demo --timeout-multiplier 4
}

stage_fuzz() {
	step "fuzz targets, ${FUZZ_SECONDS:=10} seconds each"
	CC=/usr/bin/clang configure build-fuzz -Dfuzz=true -Dspice=disabled -Dgtk=disabled \
		-Db_sanitize=address,undefined -Db_lundef=false || { record fuzz-build failed; return 0; }
	# Only they: what else there is does not link with half a fuzzer in it.
	for target in $(ninja -C build-fuzz -t targets all | sed -n 's/^\(tests\/fuzz\/fuzz-[a-z-]*\): .*/\1/p'); do
		if ninja -C build-fuzz -j "$jobs" "$target"; then
			run_fuzz_target "build-fuzz/$target"
		else
			record "$target" failed
		fi
	done
}

run_fuzz_target() {
	name=$(basename "$1")
	work=$(mktemp -d)
	mkdir "$work/corpus"
	seeds=tests/fuzz/corpus/${name#fuzz-}
	[ -d "$seeds" ] || seeds=tests/data/config
	[ -d "$seeds" ] || seeds=
	dictionary=
	if [ -f "tests/fuzz/$name.dict" ]; then
		dictionary=-dict=$work/dict
		cp "tests/fuzz/$name.dict" "$work/dict"
		python3 tests/fuzz/schema-words.py qapi/config.schema qapi/legacy.schema >> "$work/dict"
	fi
	# shellcheck disable=SC2086
	if "$1" $dictionary -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$work/" \
		-print_final_stats=1 "$work/corpus" $seeds > "$work/log" 2>&1; then
		record "$name" passed
		echo "$name: $(sed -n 's/.*number_of_executed_units: *//p' "$work/log") inputs"
	else
		tail -n 40 "$work/log"
		record "$name" failed
	fi
	rm -rf "$work"
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
