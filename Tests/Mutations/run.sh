#!/usr/bin/env bash
# Shows that the tests can fail. Each *.patch beside this script breaks the code in one place and names, in its line
# "Test:", the test (a regular expression for `swift test --filter`) that has to notice. For each: the test is green
# on the code as it is, and red on the code with the patch.
#
#   run.sh            all mutations
#   run.sh NAME…      those whose file name contains one of the names
#
# Works on a copy of the tree; the tree itself is not touched. The copy is mounted over the tree in a namespace of its
# own where that is allowed, so that what is built stays valid and only the broken modules are compiled again; elsewhere
# everything is compiled once more.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
test_seconds_max=600

# Runs this script again on a copy.
run_on_a_copy() {
    local status=0
    copy=$(mktemp -d "${TMPDIR:-/tmp}/mailsync-mutations.XXXXXX")
    trap 'rm -rf "$copy"' EXIT
    # Modification times are kept: the build goes by them. Status 1 is a file that changed meanwhile, such as a lock.
    tar -C "$root" --warning=no-file-changed --exclude=./.git --exclude=./data -cf - . | tar -C "$copy" -xf - ||
        [ "$?" = 1 ]
    if namespace true 2>/dev/null; then
        # shellcheck disable=SC2016  # Expanded by the inner shell.
        MUTATIONS_ON_A_COPY=1 namespace bash -c \
            'mount --bind "$1" "$2" && cd "$2" && exec bash Tests/Mutations/run.sh "${@:3}"' \
            bash "$copy" "$root" "$@" || status=$?
    else
        echo "no mount namespace: everything is compiled once more"
        rm -rf "$copy/.build"/*/debug "$copy/.build/debug" "$copy/.build"/*.yaml "$copy/.build/build.db"
        MUTATIONS_ON_A_COPY=1 bash "$copy/Tests/Mutations/run.sh" "$@" || status=$?
    fi
    exit "$status"
}

namespace() { if [ "$(id -u)" = 0 ]; then unshare -m "$@"; else unshare -rm "$@"; fi; }

# The tests a mutation names.
test_of() { sed -n 's/^Test: //p' "$1"; }

selected() {
    local patch name
    for patch in "$here"/*.patch; do
        if [ $# = 0 ]; then echo "$patch"; fi
        for name in "$@"; do
            case $(basename "$patch") in *"$name"*) echo "$patch" && break ;; esac
        done
    done
}

build() { swift build --build-tests >"$log" 2>&1; }

run_tests() {
    timeout --kill-after=10 "$test_seconds_max" \
        swift test --skip-build --disable-xctest --no-parallel "$@" >"$log" 2>&1
}

# Sets `verdict` to what became of one mutation; fails unless its test noticed.
try_mutation() {
    local patch=$1
    patch --quiet --forward -p1 <"$patch" >"$log" 2>&1 || { verdict="does not apply" && return 1; }
    if ! build; then
        verdict="does not compile"
    elif run_tests --filter "$(test_of "$patch")"; then
        verdict="SURVIVED"
    else
        verdict="noticed"
    fi
    patch --quiet --reverse -p1 <"$patch"
    [ "$verdict" = noticed ]
}

main() {
    local failures=0 patch filters=() verdict
    cd "$root"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    mapfile -t patches < <(selected "$@")
    [ "${#patches[@]}" -gt 0 ] || { echo "no such mutation" && exit 2; }
    for patch in "${patches[@]}"; do filters+=(--filter "$(test_of "$patch")"); done

    echo "without mutations"
    if ! build || ! run_tests "${filters[@]}"; then
        tail -40 "$log"
        echo "the tests are not green on the code as it is"
        exit 1
    fi
    printf '%-34s %-14s %s\n' mutation result test
    for patch in "${patches[@]}"; do
        if ! try_mutation "$patch"; then
            failures=$((failures + 1))
            tail -15 "$log"
        fi
        printf '%-34s %-14s %s\n' "$(basename "$patch" .patch)" "$verdict" "$(test_of "$patch")"
    done
    echo "${#patches[@]} mutations, $failures of them not noticed"
    [ "$failures" = 0 ]
}

if [ -z "${MUTATIONS_ON_A_COPY:-}" ]; then run_on_a_copy "$@"; else main "$@"; fi
