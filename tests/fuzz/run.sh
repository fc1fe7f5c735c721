#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh RESULTS TARGET: runs a target of build-fuzz for FUZZ_SECONDS from its corpus, and appends to RESULTS how it went.
set -eu

name=$(basename "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
seeds=tests/fuzz/corpus/${name#fuzz-}
[ -d "$seeds" ] || seeds=tests/data/config
dictionary=
if [ -f "tests/fuzz/$name.dict" ]; then
	dictionary=-dict=$work/dict
	cp "tests/fuzz/$name.dict" "$work/dict"
	python3 tests/fuzz/schema-words.py qapi/config.schema qapi/legacy.schema >> "$work/dict"
fi
# shellcheck disable=SC2086
if "build-fuzz/$2" $dictionary -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$work/" \
	-print_final_stats=1 "$work/corpus" "$seeds" > "$work/log" 2>&1; then
	echo "$name 1 0 0" >> "$1"
	echo "$name: $(sed -n 's/.*number_of_executed_units: *//p' "$work/log") inputs"
else
	echo "$name 0 1 0" >> "$1"
	tail -n 40 "$work/log"
	echo "$name: failed"
fi
