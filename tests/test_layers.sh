#!/bin/sh
# Who may include what: the table of ARCHITECTURE.md, read off every #include of the rooms.
#
#   test_layers.sh SOURCE_DIR
#
# First tests itself on small trees, made in the current folder, that each hold one wrong include.
set -eu

# Print what is wrong with the tree in folder $1; fail if anything is, or if there is nothing to read.
check_tree() {
    (cd "$1" && find base sim search proto daemon client -name '*.[ch]' 2>/dev/null | LC_ALL=C sort) |
        (cd "$1" && xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null || true) |
        awk -F: '
    BEGIN {
        # room: rooms that it may include
        may["base"] = " base "
        may["sim"] = " sim base "
        may["search"] = " search sim base "
        may["proto"] = " proto base "
        may["daemon"] = " daemon search sim proto base "
        may["client"] = " client proto base search sim "

        # header (or folder of headers): the only rooms or files that may include it
        only["libconfig.h"] = "base/conf.c"
        only["openssl/"] = "base/hash.c"
        only["xxhash.h"] = "base/hash.c"
        only["Random123/"] = "base/random.c"
        only["sqlite3.h"] = "daemon/store_sqlite.c"
        only["zmq.h"] = "daemon client"
        only["protobuf-c/"] = "base/message.c base/message.h proto"
        only["onnx/"] = "sim"
        only["cblas.h"] = "search"
        only["lapacke.h"] = "search"
        only["jansson.h"] = "daemon client"
        only["libsmartcols/"] = "client"
        only["argp.h"] = "daemon client"
        only["pthread.h"] = "daemon"
        only["locale.h"] = "client"
        only["time.h"] = "base/log.c daemon client"
        only["check.h"] = "tests"
        only["base/log.h"] = "base/log.c daemon client"

        # What decides results knows neither clock nor system.
        split("assert ctype errno float inttypes limits math stdarg stdbool stddef stdint stdio" \
              " stdlib string", list, " ")
        for (i in list) {
            plain[list[i] ".h"] = 1
        }
    }
    function wrong(why) {
        printf "%s:%s: %s: %s\n", file, $2, header, why
        bad = 1
    }
    # The row of `only` for the header: its own, or that of its folder.
    function owners(folder) {
        folder = header
        sub(/\/.*/, "/", folder)
        return header in only ? only[header] : folder in only ? only[folder] : ""
    }
    {
        seen = 1
        file = $1
        room = file
        sub(/\/.*/, "", room)
        text = $0
        sub(/^[^:]*:[^:]*:/, "", text)
        quoted = text ~ /^[ \t]*#[ \t]*include[ \t]*"/
        header = text
        sub(/^[^<"]*[<"]/, "", header)
        sub(/[>"].*/, "", header)
        target = header
        sub(/\/.*/, "", target)

        who = owners()
        if (who != "" && index(" " who " ", " " file " ") == 0 &&
            index(" " who " ", " " room " ") == 0) {
            wrong("only for " who)
        } else if (quoted && !(target in may && header ~ /\//)) {
            wrong("our headers are named from the root, ROOM/NAME.h")
        } else if (quoted && index(may[room], " " target " ") == 0) {
            wrong(room " may not include " target)
        } else if (!quoted && target in may && header ~ /\//) {
            wrong("our headers stand in quotes")
        } else if (!quoted && who == "" && (room == "sim" || room == "search") && !(header in plain)) {
            wrong(room " keeps to the C library")
        }
    }
    END { exit bad || !seen }'
}

# The tree with one more include line $2 in file $1 is refused and the line named.
expect_refused() {
    mkdir -p "$(dirname "$tree/$1")"
    printf '/* A file. */\n%s\n' "$2" >"$tree/$1"
    if said=$(check_tree "$tree"); then
        echo "test_layers.sh takes $2 in $1" >&2
        exit 1
    fi
    case $said in
    "$1:2: "*) ;;
    *)
        echo "test_layers.sh says \"$said\" of $2 in $1" >&2
        exit 1
        ;;
    esac
    rm "$tree/$1"
}

expect_taken() {
    mkdir -p "$(dirname "$tree/$1")"
    printf '%s\n' "$2" >"$tree/$1"
    if ! check_tree "$tree" >&2; then
        echo "test_layers.sh refuses $2 in $1" >&2
        exit 1
    fi
}

tree=$(mktemp -d ./layers.XXXXXX)
trap 'rm -rf "$tree"' EXIT

if check_tree "$tree"; then
    echo "test_layers.sh takes a tree without files" >&2
    exit 1
fi
expect_taken base/conf.c '#include <libconfig.h>'
expect_taken base/conf.h '#include "base/status.h"'
expect_taken sim/network/network.c '#include "base/status.h"'
expect_taken sim/math.c '#include <math.h>'
expect_taken search/engine/nsga2.c '#include "sim/network/network.h"'
expect_taken search/train.c '#include <cblas.h>'
expect_taken proto/wire.h '#include <protobuf-c/protobuf-c.h>'
expect_taken base/message.h '#include <protobuf-c/protobuf-c.h>'
expect_taken sim/onnx/graph.h '#include <onnx/onnx.pb-c.h>'
expect_taken daemon/store_sqlite.c '#include <sqlite3.h>'
expect_taken daemon/pool.c '#include <pthread.h>'
expect_taken daemon/watch.h '#include "proto/codesign.pb-c.h"'
expect_taken client/verbs.c '#include "search/space.h"'
expect_taken client/note.c '/* #include "daemon/jobs.h" */'

expect_refused base/up.c '#include "sim/network/network.h"'
expect_refused base/up.h '#include "proto/wire.h"'
expect_refused sim/up.c '#include "search/space.h"'
expect_refused sim/wire.c '#include "proto/wire.h"'
expect_refused sim/log.c '#include "base/log.h"'
expect_refused sim/clock.c '#include <time.h>'
expect_refused sim/threads.c '#include <stdatomic.h>'
expect_refused search/up.c '#include "daemon/jobs.h"'
expect_refused search/engine/up.c '#  include "client/session.h"'
expect_refused search/engine/clock.c '#include <sys/time.h>'
expect_refused proto/up.c '#include "sim/network/network.h"'
expect_refused daemon/across.c '#include "client/session.h"'
expect_refused client/across.c '#include "daemon/jobs.h"'
expect_refused client/tests.c '#include "tests/daemon/site.h"'
expect_refused base/csv.c '#include <libconfig.h>'
expect_refused search/plan.c '	#include <libconfig.h>'
expect_refused daemon/jobs.c '#include <sqlite3.h>'
expect_refused base/file.c '#include <openssl/sha.h>'
expect_refused sim/blas.c '#include <cblas.h>'
expect_refused proto/socket.c '#include <zmq.h>'
expect_refused base/wire.c '#include <protobuf-c/protobuf-c.h>'
expect_refused sim/wire.c '#include <protobuf-c/protobuf-c.h>'
expect_refused search/onnx.c '#include <onnx/onnx.pb-c.h>'
expect_refused daemon/near.c '#include "jobs.h"'
expect_refused daemon/near.c '#include "../base/status.h"'
expect_refused daemon/angle.c '#include <base/status.h>'

check_tree "$1"
