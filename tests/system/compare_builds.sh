#!/usr/bin/env bash
# compare_builds.sh BUILD BUILD ...: run the same jobs on the programs of several build directories
# and compare the fronts and the candidates byte for byte.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
[ $# -ge 2 ] || {
    echo "usage: compare_builds.sh BUILD BUILD ..." >&2
    exit 2
}

work=$(mktemp -d)
daemon=
clean() {
    [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
    rm -rf -- "$work"
}
trap clean EXIT

fail() {
    echo "compare_builds: $*" >&2
    cat "$work"/*.log >&2 || true
    exit 1
}

# All that a build says of the jobs, in $work/NUMBER.
run_build() {
    local build=$1 number=$2 seed tries=0 client
    client=("$build/client/codesign-client" --server "ipc://$work/socket")
    "$build/daemon/codesignd" --set "state_directory=$work/state-$number" \
        --set "endpoint=ipc://$work/socket" --set "library=$root/configs" --set workers=2 \
        >"$work/$number.log" 2>&1 </dev/null &
    daemon=$!
    until "${client[@]}" --timeout 1 ping >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ] || ! kill -0 "$daemon" 2>/dev/null; then
            fail "$build: codesignd did not start"
        fi
        sleep 0.1
    done
    mkdir "$work/$number"
    for seed in 1 2 3; do
        timeout 120 "${client[@]}" submit-job "$root/configs/jobs/imagenet-edge.conf" --seed "$seed" \
            --set evaluations=10000 --set batch=64 --set keep=all --watch --format csv \
            >"$work/$number/front-$seed" 2>"$work/$number.client.log" ||
            fail "$build: the search failed"
        "${client[@]}" list-candidates "$seed" --limit 10000 --format csv \
            >"$work/$number/candidates-$seed" 2>"$work/$number.client.log"
        [ "$(wc -l <"$work/$number/candidates-$seed")" = 10001 ] ||
            fail "$build: candidates are missing"
    done
    kill -TERM "$daemon"
    wait "$daemon" || fail "$build: codesignd did not stop cleanly"
    daemon=
}

number=0
for build in "$@"; do
    number=$((number + 1))
    run_build "$(cd -- "$build" && pwd)" "$number"
    diff -rq "$work/1" "$work/$number" || fail "$build gives other results than $1"
done
echo "the same fronts and candidates from: $*"
