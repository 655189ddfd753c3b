# Sourced: fetches the npm package tla-checker into build/tla when it is not there, and sets
# TLA_CHECKER_DIR. REQUIRES: $here is this folder.
checker_version=0.9.0
checker_dir=$here/../build/tla

fail() {
    echo "not ok - $1"
    echo "1..1"
    exit 1
}

fetch_checker() {
    command -v node >/dev/null || fail "node is missing: deps/install test brings it"
    export TLA_CHECKER_DIR="$checker_dir/node_modules/tla-checker"
    [ ! -f "$TLA_CHECKER_DIR/tla_checker.js" ] || return 0
    command -v npm >/dev/null || fail "npm is missing: deps/install test brings it"
    mkdir -p "$checker_dir"
    npm install --prefix "$checker_dir" --no-save --no-audit --no-fund --loglevel=error \
        "tla-checker@$checker_version" >"$checker_dir/install.log" 2>&1 ||
        fail "npm cannot fetch tla-checker $checker_version, see build/tla/install.log"
}
