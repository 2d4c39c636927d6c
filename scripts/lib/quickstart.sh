# shellcheck shell=sh disable=SC2154
# The parts of ./quickstart. They share the variables safetpd, place, port, url, certificate, pin and safetpd_pid.

step() { printf '\n== %s\n' "$*"; }

quietly() { # COMMAND...: its output only if it fails
    if ! "$@" >build/quickstart.log 2>&1; then
        cat build/quickstart.log >&2
        exit 1
    fi
}

prepare_place() {
    rm -rf "${place:?}"
    mkdir -p "$place/files/upload" "$place/empty" "$place/keys" "$place/chroot"
    chmod 700 "$place/keys"
    chmod 755 "$place" "$place/files" "$place/empty" "$place/chroot"
    [ "$(id -u)" -ne 0 ] || chown "$(files_owner)" "$place/files/upload"
}

is_free() { # PORT: nobody listens there
    ! grep -qi ": *[0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

choose_ports() { # one for the control connection, twenty behind it for data
    port=2121
    while :; do
        last=$((port + 20))
        candidate=$port
        while [ "$candidate" -le "$last" ] && is_free "$candidate"; do candidate=$((candidate + 1)); done
        [ "$candidate" -le "$last" ] || break
        port=$((candidate + 1))
        [ "$port" -lt 30000 ] || { echo "quickstart: no free ports" >&2; exit 1; }
    done
    url=ftp://127.0.0.1:$port
}

# Started by root vsftpd takes the identity of an account whose home exists, which that of nobody does not.
files_owner() { if [ "$(id -u)" -eq 0 ]; then echo daemon; else id -un; fi; }

# Anonymous only, so that no password of this machine is needed. Started by an ordinary user vsftpd cannot change its root.
write_vsftpd_config() {
    cat >"$place/vsftpd.conf" <<END
listen=NO
anonymous_enable=YES
local_enable=NO
ftp_username=$(files_owner)
anon_root=$place/files
anon_upload_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
write_enable=YES
anon_umask=022
secure_chroot_dir=$place/empty
xferlog_enable=NO
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
END
    [ "$(id -u)" -eq 0 ] || echo run_as_launching_user=YES >>"$place/vsftpd.conf"
}

write_safetpd_config() {
    cat >"$place/safetpd.toml" <<END
# SafeTP on the loopback, before a vsftpd that is started for each session.
[[listener]]
address = "127.0.0.1"
port = $port

[server]
command = ["$PWD/build/ftpds/bin/vsftpd", "$place/vsftpd.conf"]

[tls]
key_directory = "$place/keys"

[data]
passive_ports = "$((port + 1))-$((port + 20))"

[log]
target = "stderr"

[process]
user = "nobody"
chroot = "$place/chroot"
workers = 1
END
}

start_safetpd() {
    "$safetpd" -c "$place/safetpd.toml" </dev/null 2>"$place/safetpd.log" &
    safetpd_pid=$!
    tries=0
    until curl -s --max-time 5 -o /dev/null --user anonymous:x "$url/" || [ $? -eq 67 ]; do # 67: it answers, and refuses
        if ! kill -0 "$safetpd_pid" 2>/dev/null || [ "$tries" -ge 100 ]; then
            echo "quickstart: safetpd does not run:" >&2
            cat "$place/safetpd.log" >&2
            exit 1
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
    certificate=$(grep -l 'BEGIN CERTIFICATE' "$place"/keys/* | head -n 1)
    pin=sha256//$(openssl x509 -in "$certificate" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary |
        openssl base64)
    echo "It listens on 127.0.0.1, port $port; nobody else on the network can reach it."
}

stop_safetpd() {
    [ -n "${safetpd_pid-}" ] || return 0
    kill "$safetpd_pid" 2>/dev/null || return 0
    wait "$safetpd_pid" || :
}

curl_tls() { curl -sS --ssl-reqd -k --pinnedpubkey "$pin" --user anonymous:quickstart@localhost "$@"; }
