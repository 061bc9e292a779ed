#!/bin/bash
# Installs the programs that run_clients.py and run_servers.py drive, on Debian 12, as root.
#
#   tests/interop/setup.sh basic    swaks, curl, smtplib, smtp-source, smtp-sink, aiosmtpd: what --basic needs
#   tests/interop/setup.sh full     all 22 clients and 12 servers (the default)
#
# Safe to repeat: finished steps are skipped. Reaches only package registries (apt-get, pip, npm, cargo).
# Starts no daemon. Everything that is not a Debian package lies below $INTEROP_PREFIX (default:
# target/interop), which the runners look up in the same way. Mail transport agents conflict with one another
# as Debian packages, so only Postfix is installed with apt-get; the others are unpacked with dpkg -x below
# the prefix and run from there. Some of them drop root, so for `full` every folder above the prefix has to
# be open to others (chmod o+x).
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
SET=${1:-full}
case $SET in basic | full) ;; *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 64 ;; esac
P=${INTEROP_PREFIX:-$HERE/../../target/interop}
mkdir -p "$P"/deb "$P"/log || exit 1
P=$(cd "$P" && pwd)
export DEBIAN_FRONTEND=noninteractive
t0=$(date +%s)
say() { echo "[$(($(date +%s) - t0))s] $*"; }
fail=0
APT="apt-get -y -q -o DPkg::Lock::Timeout=400 -o APT::Install-Recommends=false"

# ---- language packages, beside apt -------------------------------------------------------------
pips="aiosmtpd"
[ "$SET" = full ] && pips="aiosmtpd aiosmtplib dnspython"
# python3-venv may be missing, so this waits for apt where the module is not there
python_env() (
    set -e
    [ -e "$P/log/pip-$SET.ok" ] && [ -x "$P/venv/bin/python" ] && exit 0
    [ -x "$P/venv/bin/pip" ] || python3 -m venv "$P/venv"
    # shellcheck disable=SC2086
    "$P/venv/bin/pip" -q install $pips
    touch "$P/log/pip-$SET.ok"
) >"$P/log/pip.log" 2>&1
pip_pid=
if python3 -c 'import ensurepip' 2>/dev/null; then python_env & pip_pid=$!; fi
# ---- Debian ---------------------------------------------------------------------------------------
WANT="swaks libsocket6-perl libio-socket-inet6-perl curl openssl postfix procps python3-venv"
if [ "$SET" = full ]; then
    WANT="$WANT libnet-ssleay-perl libio-socket-ssl-perl libdigest-hmac-perl libauthen-sasl-perl
 msmtp ca-certificates postfix-pcre
 dovecot-core dovecot-lmtpd dovecot-imapd dovecot-pop3d dovecot-submissiond
 s-nail mutt esmtp gsasl chasquid m4 make iproute2
 libdb5.3 libgnutls-dane0 libgnutls30 libidn12 libidn2-0 libnsl2 libpcre2-8-0 libevent-2.1-7 libpam0g
 libldap-2.5-0 liblockfile1 libsasl2-2 libsasl2-modules libwrap0 libssl3 libstdc++6"
    command -v npm >/dev/null || WANT="$WANT nodejs npm"
fi
missing=
for w in $WANT; do dpkg-query -W -f '${Status}' "$w" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $w"; done
made_policy=0
if [ -n "$missing" ]; then
    if [ ! -e /usr/sbin/policy-rc.d ]; then       # nothing that apt-get installs may be started
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        made_policy=1
    fi
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
    apt-get -q update >"$P/log/apt.log" 2>&1
    # shellcheck disable=SC2086
    $APT install $missing >>"$P/log/apt.log" 2>&1 || {
        say "apt-get install failed; trying one by one"
        for w in $missing; do $APT install "$w" >>"$P/log/apt.log" 2>&1 || { say "not installable: $w"; fail=1; }; done
    }
    for s in postfix dovecot chasquid msmtpd; do
        command -v systemctl >/dev/null && systemctl disable --now $s >/dev/null 2>&1
    done
    [ $made_policy = 1 ] && rm -f /usr/sbin/policy-rc.d
fi
say "apt done"
npm_pid=
if [ "$SET" = full ]; then
    (
        set -e
        mkdir -p "$P/node"
        cp "$HERE"/node/package.json "$P/node/"
        cd "$P/node"
        npm install --no-audit --no-fund --ignore-scripts
    ) >"$P/log/npm.log" 2>&1 &
    npm_pid=$!
fi
if [ -z "$pip_pid" ]; then python_env & pip_pid=$!; fi

unpack() { # NAME PACKAGE...
    local name=$1
    shift
    [ -e "$P/$name/.ok" ] && return 0
    rm -rf "${P:?}/$name"
    mkdir -p "$P/$name"
    (cd "$P/deb" && apt-get -q download "$@" >>"$P/log/apt.log" 2>&1) || { say "cannot download $*"; return 1; }
    for p in "$@"; do dpkg -x "$(ls -t "$P"/deb/"$p"_*.deb | head -1)" "$P/$name" || return 1; done
    touch "$P/$name/.ok"
}
if [ "$SET" = full ]; then
    unpack exim exim4-daemon-light exim4-base || unpack exim exim4-daemon-light || fail=1
    unpack opensmtpd opensmtpd || fail=1
    unpack sendmail sendmail-bin sendmail-base sendmail-cf || fail=1
    unpack dma dma || fail=1
    unpack nullmailer nullmailer || fail=1
    chmod 755 "$P"
    for u in Debian-exim opensmtpd opensmtpq smmta smmsp interop; do
        getent group "$u" >/dev/null || groupadd -r "$u"
        getent passwd "$u" >/dev/null || useradd -r -g "$u" -d /nonexistent -s /usr/sbin/nologin "$u"
    done
    getent group mail >/dev/null || groupadd -r mail
    # fixed paths of the unpacked programs: empty mount points (each runs in a mount namespace of its own) and one link
    mkdir -p /etc/dma /var/spool/dma /var/spool/smtpd /var/lib/opensmtpd/empty /usr/libexec
    [ -d /usr/libexec/opensmtpd ] && [ ! -L /usr/libexec/opensmtpd ] || ln -sfn "$P/opensmtpd/usr/libexec/opensmtpd" /usr/libexec/opensmtpd
    if command -v setpriv >/dev/null && ! setpriv --reuid interop --regid interop --clear-groups test -x "$P/venv/.."; then
        say "$P can not be reached by users other than root: set INTEROP_PREFIX, or chmod o+x the folders above it"
        fail=1
    fi
    say "unpacked"

    # ---- Rust programs ------------------------------------------------------------------------------
    if command -v cargo >/dev/null; then
        mkdir -p "$P/rust"
        cp -r "$HERE"/rust/. "$P/rust/"
        (cd "$P/rust" && CARGO_TARGET_DIR="$P/rust-target" cargo build --quiet) >"$P/log/cargo.log" 2>&1 || { say "cargo build failed (see $P/log/cargo.log)"; fail=1; }
        say "cargo done"
    fi
fi
wait "$pip_pid" || { say "pip failed (see $P/log/pip.log)"; fail=1; }
[ -z "$npm_pid" ] || wait "$npm_pid" || { say "npm failed (see $P/log/npm.log)"; fail=1; }
say "finished, $SET, prefix $P"
exit $fail
