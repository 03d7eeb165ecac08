#!/bin/sh
# Runs a fuzz target: run.sh TARGET SECONDS [FILE...]. With files, only those are run.
set -eu
cd "$(dirname "$0")/.."
target=$1 seconds=$2
shift 2
# Instrumenting needs flags that a stable compiler only takes like this; sanitizers' runtimes it lacks.
export RUSTC_BOOTSTRAP=1
if [ $# -gt 0 ]; then
    exec cargo fuzz run --sanitizer none "$target" "$@"
fi
seeds=fuzz/corpus/$target
mkdir -p "$seeds"
case $target in
    hls) cp tests/corpus/hls/*.m3u8 "$seeds" ;;
    dash) cp tests/corpus/dash/*.mpd "$seeds" ;;
    patch) cp tests/corpus/patch/* "$seeds" ;;
    ts) cp platforms/native/tests/media/*.ts "$seeds" ;;
    sidx) cp tests/corpus/media/* "$seeds" ;;
    webvtt) printf 'WEBVTT\n\n00:00.000 --> 00:04.500 line:0\na\n\377WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:9,LOCAL:00:00.000\n\n1\n00:00.000 --> 00:04.500 line:0\na\n' >"$seeds/subtitles" ;;
    license) printf '\000\000\032{"keys":[],"expires_in":9}' >"$seeds/licence" ;;
    protection) cp platforms/native/tests/media/*-init.mp4 "$seeds" ;;
esac
exec cargo fuzz run --sanitizer none "$target" "$seeds" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=30 -rss_limit_mb=2048 \
    -dict="fuzz/dictionaries/$target.txt"
