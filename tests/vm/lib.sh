# What the tests in the machine share. NAME says what is right; each test goes on after a failure, and `finish` gives its status.
set -u
failed=0
units="safetpd.service" # whose state is shown after a failure

cursor=
passed() { echo "vm: passed: $1"; }
wrong() {
    echo "vm: FAILED: $1"
    failed=1
    # shellcheck disable=SC2086  # a list of words
    systemctl status --no-pager -l -n 30 $units 2>&1 | sed 's/^/    /'
}
expect() { # expect NAME COMMAND...
    name=$1
    shift
    if "$@"; then passed "$name"; else wrong "$name"; fi
}
refused() { ! "$@"; }
finish() {
    [ $failed = 0 ] && echo "vm: all passed"
    exit $failed
}

wait_for() { # wait_for COMMAND...: the machine may be slow
    for _ in $(seq 240); do
        "$@" && return 0
        sleep 0.5
    done
    echo "vm: waited in vain for: $*"
    return 1
}
mark() { cursor=$(journalctl -q -n 1 -o export | sed -n 's/^__CURSOR=//p'); }
journal_since() { journalctl -q --no-pager -o cat --after-cursor="$cursor" "$@"; }
listens() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

add_user() { useradd --create-home --password "$(openssl passwd -6 secret)" bob; }
over_tls() { curl -sS -m 300 -k --ssl-reqd -u bob:secret "$@"; }
in_clear() { curl -sS -m 300 -u bob:secret "$@"; }
