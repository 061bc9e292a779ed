#!/usr/bin/env python3
"""Runs our sender (examples/send.rs) against real mail servers on the loopback interface.

  run_servers.py --send-cmd 'target/release/examples/send' [--basic] [--only NAME] [--skip NAME] [--list]
"""
import glob, imaplib, logging, poplib, pwd, shlex, warnings
from common import *

if __name__ == "__main__":
    reexec_in_venv()

S = Suite(__doc__,
          basic=["smtp-sink", "aiosmtpd.plain", "aiosmtpd.no-*", "aiosmtpd.features-used", "aiosmtpd.bare-lf-file", "aiosmtpd.stdin", "aiosmtpd.repeat10",
                 "aiosmtpd.unknown-recipient", "aiosmtpd.temporary-failure", "aiosmtpd.too-big", "peer"],
          but_not=["aiosmtpd.*.utf8addr", "*.dsn", "smtp-sink.lmtp", "peer.no-starttls"])
o = S.parse(lambda ap: ap.add_argument("--send-cmd", default="cargo run --quiet --release --all-features --example send --", help="command that runs the sender; flags are added"))
USER, PASSWORD = "alice", "secret"
FROM, TO = "alice@sender.example", ["bob@dest.example"]
TRACE = {"received", "return-path", "delivered-to", "x-original-to", "envelope-to", "delivery-date", "x-client-addr", "x-client-proto", "x-helo-args", "x-mail-args",
         "x-rcpt-args", "received-spf", "authentication-results", "x-peer", "x-mailfrom", "x-rcptto", "x-haraka-relay"}


class Box:
    """Where a server leaves messages: a folder (files *.eml with *.env, or a Maildir's new/)."""

    def __init__(self, path, kind, per_rcpt):
        self.path, self.kind, self.per_rcpt = path, kind, per_rcpt
        self.seen = set()

    def files(self):
        pat = {"eml": "*.eml", "maildir": "**/new/*", "plain": "*"}[self.kind]
        return sorted(f for f in glob.glob(os.path.join(glob.escape(self.path), pat), recursive=True) if os.path.isfile(f))

    def begin(self):
        self.seen = set(self.files())

    def take(self, n, timeout=8):
        end = time.time() + timeout
        while True:
            new = [f for f in self.files() if f not in self.seen]
            if len(new) >= n or time.time() > end:
                break
            time.sleep(0.05)
        time.sleep(0.05)
        new = [f for f in self.files() if f not in self.seen]
        expect(len(new) >= n, "%d of %d copies arrived in %g s" % (len(new), n, timeout))
        expect(len(new) == n, "%d copies instead of %d" % (len(new), n))
        return new


class RealServer:
    """name; endpoints: {mode: port}; box; traits."""
    mechs = ()
    lmtp = False
    smtputf8 = True
    log = None

    def __init__(self, ctx):
        self.ctx, self.proxies = ctx, {}
        self.start(ctx)
        for mode, port in self.endpoints.items():
            self.proxies[mode] = Proxy(("127.0.0.1", port))

    def tail(self):
        try:
            return " | server log: " + open(self.log, errors="replace").read()[-400:].replace("\n", " / ") if self.log else ""
        except OSError:
            return ""

    def read(self, f):
        return to_crlf(open(f, "rb").read())

    def same(self, got, want):
        return got == want

    def envelope(self, f):
        e = f[:-4] + ".env"
        if self.box.kind == "eml" and os.path.exists(e):
            l = open(e, encoding="utf-8", errors="surrogateescape").read().split("\n")
            return "" if l[0] == "<>" else l[0], l[1:-1]
        return None


class Ctx:
    def __init__(self, work):
        self.work, self.n, self.servers = work, 0, {}

    @functools.cached_property
    def cert(self):
        return make_cert(self.work)

    def begin(self):
        for s in self.servers.values():
            if isinstance(s, RealServer):
                s.box.begin()
                for p in s.proxies.values():
                    p.reset()

    def collect(self):
        f = set()
        for s in self.servers.values():
            if isinstance(s, RealServer):
                for p in s.proxies.values():
                    for c in p.conns:
                        f |= Wire(list(c)).features
        return f

    def server(self, cls):
        if cls not in self.servers:
            try:
                self.servers[cls] = cls(self)
                self.servers[cls].box.begin()
            except (Fail, Skip) as e:
                self.servers[cls] = e
            except (OSError, subprocess.SubprocessError) as e:
                self.servers[cls] = Fail("%s did not start: %s" % (cls.__name__, e))
            if isinstance(self.servers[cls], Fail):
                first, self.servers[cls] = self.servers[cls], Fail("%s did not start (see its first case)" % cls.__name__)
                raise first
        if isinstance(self.servers[cls], Exception):
            raise self.servers[cls]
        return self.servers[cls]

    def tmp(self, data=None, suffix=""):
        self.n += 1
        p = os.path.join(self.work, "f%05d%s" % (self.n, suffix))
        if data is not None:
            open(p, "wb").write(data)
        return p

    def dir(self, name, owner=None, mode=0o755):
        p = os.path.join(self.work, name)
        os.makedirs(p, exist_ok=True)
        os.chmod(p, mode)
        if owner:
            u = pwd.getpwnam(owner)
            os.chown(p, u.pw_uid, u.pw_gid)
        return p


def send(ctx, srv, mode, frm, tos, files, extra=(), tls=None, mech=None, password=PASSWORD, token=None, stdin=None):
    a = shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % srv.proxies[mode].port, "--helo", "sender.example", "--from", frm]
    for t in tos:
        a += ["--to", t]
    if srv.lmtp or mode == "lmtp":
        a += ["--protocol", "lmtp"]
    tls = tls or {"implicit": "implicit", "starttls": "starttls", "auth": "starttls"}.get(mode, "none")
    a += ["--tls", tls]
    if tls != "none" and not any(x in extra for x in ("--ca", "--insecure")):
        a += ["--ca", ctx.cert["ca"]]
    if mech:
        a += ["--user", USER] + (["--token", token] if token else ["--password", password]) + ["--auth", mech]
    return run(a + list(extra) + list(files), input=stdin, timeout=60, check=False)


def lines(r, tos, messages=1):
    """The result lines, as {recipient: [(code, enhanced, text)]}, in the order given."""
    got = {t: [] for t in tos}
    for l in r.out.splitlines():
        t = next((t for t in tos if l.startswith(t + " ")), None)
        m = re.match(r"(\d{3}) (-|[245]\.\d{1,3}\.\d{1,3})(?: (.*))?$", l[len(t) + 1:]) if t else None
        expect(m, "line %r is not 'ADDR CODE ENHANCED TEXT'" % l)
        expect(m[2] == "-" or m[2][0] == m[1][0], "line %r: code and enhanced code differ" % l)
        got[t].append((int(m[1]), m[2], m[3] or ""))
    for t in tos:
        expect(len(got[t]) == messages, "%d result lines for %s instead of %d; exit %d; %s" % (len(got[t]), t, messages, r.rc, r.err.strip()[-250:]))
    return got


def deliver(ctx, srv, mode, frm, tos, raw, n=1, extra=(), lf=False, need=(), never=(), **kw):
    """Sends and checks everything: exit code, lines, copies, bytes, envelope."""
    f = ctx.tmp(raw.replace(b"\r\n", b"\n") if lf else raw)
    if kw.pop("by_stdin", False):
        r = send(ctx, srv, mode, frm, tos, [], extra, stdin=raw, **kw)
    else:
        r = send(ctx, srv, mode, frm, tos, [f], list(extra) + (["--repeat", str(n)] if n > 1 else []), **kw)
    expect(r.rc == 0, "exit code %d: %s %s%s" % (r.rc, r.out.strip()[-200:], r.err.strip()[-250:], srv.tail()))
    for t, ls in lines(r, tos, n).items():
        for code, enh, text in ls:
            expect(code // 100 == 2, "%s: %d" % (t, code))
    try:
        files = srv.box.take((len(tos) if srv.box.per_rcpt else 1) * n)
    except Fail as e:
        raise Fail(str(e) + srv.tail())
    for x in files:
        got = srv.read(x)
        env = srv.envelope(x)
        if env:
            expect(env[0] == frm and (sorted(env[1]) == sorted(tos)), "envelope %r" % (env,))
        m = re.match(rb"(?:.*?\r\n)??return-path: *<?([^>\r\n]*)>?\r\n", got[:300], re.I | re.S)
        if m and srv.return_path:
            expect(m[1].decode() == frm, "Return-Path %r" % m[1])
        body = strip_fields(got, TRACE)
        expect(srv.same(crlf_end(body), crlf_end(raw)), "message differs: " + first_diff(body, raw))
    w = [Wire(list(c)) for c in srv.proxies[mode].conns]
    feats = set().union(*[x.features for x in w]) if w else set()
    if not any(x.tls for x in w):
        for k in need:
            if "offer:" + k.split("=")[0] not in feats and k in ("PIPELINING", "CHUNKING"):
                continue
            expect(("BDAT" if k == "CHUNKING" else k) in feats, "%s was not used on the wire" % k)
        for k in never:
            expect(k not in feats, "%s was used on the wire" % k)
        for x in w:
            expect("?syntax" not in x.features, "MAIL or RCPT with a wrong syntax: %r" % [c for c in x.commands if c[:4].upper() in (b"MAIL", b"RCPT")][:2])
            if x.commands:
                expect(x.commands[-1].upper() == b"QUIT", "the session did not end with QUIT but %r" % x.commands[-1][:60])
    return r, feats


RealServer.return_path = True


def std(cls, modes, prog, bodies=BODIES, envs=ENVELOPES, dsn=True, nobody=True, later=False, toobig=True):
    """The cases every server gets."""
    main_ = modes[0]

    def body(b, mode, **kw):
        return lambda ctx: deliver(ctx, ctx.server(cls), mode, FROM, TO, MESSAGES[b], **kw)

    for b in bodies:
        S.case("%s.%s.%s" % (prog, main_, b), body(b, main_))
    for mode in modes[1:]:
        for b in ("ascii", "dots", "utf8body", "attachment5m"):
            S.case("%s.%s.%s" % (prog, mode, b), body(b, mode))
    for e in envs:
        def f(ctx, e=e):
            srv = ctx.server(cls)
            deliver(ctx, srv, main_, *ENVELOPES[e], MESSAGES["ascii"])
        S.case("%s.%s.%s" % (prog, main_, e), f)
    S.case("%s.no-chunking" % prog, body("lonedot", main_, extra=["--no-chunking"], never=("BDAT",)))
    S.case("%s.no-chunking.big" % prog, body("attachment5m", main_, extra=["--no-chunking"], never=("BDAT",)))
    S.case("%s.no-pipelining" % prog, body("dots", main_, extra=["--no-pipelining"], never=("PIPELINING",)))
    S.case("%s.no-either" % prog, body("dots", main_, extra=["--no-pipelining", "--no-chunking"], never=("PIPELINING", "BDAT")))
    S.case("%s.features-used" % prog, body("dots", main_, need=("PIPELINING", "CHUNKING")))
    S.case("%s.bare-lf-file" % prog, body("dots", main_, lf=True))
    S.case("%s.stdin" % prog, body("dots", main_, by_stdin=True))
    S.case("%s.repeat10" % prog, body("lonedot", main_, n=10))
    if "utf8addr" not in envs:
        def noutf8(ctx):
            srv = ctx.server(cls)
            r = send(ctx, srv, main_, *ENVELOPES["utf8addr"], [ctx.tmp(MESSAGES["ascii"])])
            expect(r.rc in (65, 69), "exit code %d for a UTF-8 address without SMTPUTF8 (65 or 69 expected)" % r.rc)
            for c in srv.proxies[main_].conns:
                for cmd in Wire(list(c)).commands:
                    expect(cmd.isascii(), "a UTF-8 command went out: %r" % cmd)
        S.case("%s.utf8addr-not-offered" % prog, noutf8)
    else:
        S.case("%s.utf8header" % prog, lambda ctx: deliver(ctx, ctx.server(cls), main_, *ENVELOPES["utf8addr"], MESSAGES["utf8header"], need=("SMTPUTF8",)))
    if dsn:
        def f(ctx):
            srv = ctx.server(cls)
            _, feats = deliver(ctx, srv, main_, FROM, TO, MESSAGES["ascii"], extra=["--ret", "hdrs", "--envid", "id-1", "--notify", "failure,delay"])
            if "offer:DSN" in feats:
                for k in ("RET", "ENVID", "NOTIFY"):
                    expect(k in feats, k + " did not go out although DSN was offered")
            else:
                expect(not feats & {"RET", "ENVID", "NOTIFY"}, "DSN parameters went out unasked for")
        S.case("%s.dsn" % prog, f)
    if nobody:
        def f(ctx):
            srv = ctx.server(cls)
            r = send(ctx, srv, main_, FROM, ["nobody@dest.example"], [ctx.tmp(MESSAGES["ascii"])])
            l = lines(r, ["nobody@dest.example"])["nobody@dest.example"][0]
            expect(l[0] // 100 == 5, "line %r" % (l,))
            expect(r.rc == 69, "exit code %d, expected 69" % r.rc)
            tos = ["bob@dest.example", "nobody@dest.example", "carol@dest.example"]
            r = send(ctx, srv, main_, FROM, tos, [ctx.tmp(MESSAGES["dots"])])
            got = lines(r, tos)
            expect([got[t][0][0] // 100 for t in tos] == [2, 5, 2], "codes %r" % got)
            expect(r.rc == 69, "exit code %d, expected 69" % r.rc)
            for x in srv.box.take(2 if srv.box.per_rcpt else 1):
                body = strip_fields(srv.read(x), TRACE)
                expect(body == MESSAGES["dots"], "message differs: " + first_diff(body, MESSAGES["dots"]))
        S.case("%s.unknown-recipient" % prog, f)
    if later:
        def f(ctx):
            srv = ctx.server(cls)
            tos = ["later@dest.example", "nobody@dest.example", "bob@dest.example"]
            r = send(ctx, srv, main_, FROM, tos, [ctx.tmp(MESSAGES["ascii"])])
            got = lines(r, tos)
            expect([got[t][0][0] // 100 for t in tos] == [4, 5, 2], "codes %r" % got)
            expect(r.rc == 75, "exit code %d, expected 75" % r.rc)
        S.case("%s.temporary-failure" % prog, f)
    if toobig:
        def f(ctx):
            srv = ctx.server(cls)
            raw = MESSAGES["ascii"] + (b"x" * 76 + b"\r\n") * 300000
            r = send(ctx, srv, main_, FROM, TO, [ctx.tmp(raw)])
            expect(r.rc == 69, "exit code %d for a message over SIZE, expected 69; %s" % (r.rc, r.err[-200:]))
            l = lines(r, TO)[TO[0]][0]
            expect(l[0] // 100 == 5, "line %r" % (l,))
        S.case("%s.too-big" % prog, f)


def tls_cases(cls, prog):
    def f(ctx):
        srv = ctx.server(cls)
        r = send(ctx, srv, "starttls", FROM, TO, [ctx.tmp(MESSAGES["ascii"])], extra=["--ca", ctx.cert["other_ca"]])
        expect(r.rc == 76, "exit code %d with a certificate not trusted, expected 76" % r.rc)
    S.case("%s.tls.untrusted" % prog, f)
    S.case("%s.tls.insecure" % prog, lambda ctx: deliver(ctx, ctx.server(cls), "starttls", FROM, TO, MESSAGES["ascii"], extra=["--insecure"]))

    def g(ctx):
        srv = ctx.server(cls)
        deliver(ctx, srv, "starttls", FROM, TO, MESSAGES["ascii"], tls="opportunistic")
        expect(any("STARTTLS" in Wire(list(c)).features for c in srv.proxies["starttls"].conns), "no STARTTLS although offered")
    S.case("%s.tls.opportunistic" % prog, g)


def no_starttls(cls, prog, mode):
    def f(ctx):
        srv = ctx.server(cls)
        r = send(ctx, srv, mode, FROM, TO, [ctx.tmp(MESSAGES["ascii"])], tls="starttls")
        expect(r.rc == 76, "exit code %d where STARTTLS is not offered, expected 76" % r.rc)
        for c in srv.proxies[mode].conns:
            expect(not any(x[:4].upper() == b"MAIL" for x in Wire(list(c)).commands), "MAIL went out in the clear")
    S.case("%s.tls.starttls-not-offered" % prog, f)
    S.case("%s.tls.opportunistic-not-offered" % prog, lambda ctx: deliver(ctx, ctx.server(cls), mode, FROM, TO, MESSAGES["ascii"], tls="opportunistic"))


def auth_cases(cls, prog, modes, mechs):
    for mode in modes:
        for m in mechs:
            S.case("%s.auth.%s.%s" % (prog, m, mode), lambda ctx, m=m, mode=mode: deliver(
                ctx, ctx.server(cls), mode, FROM, TO, MESSAGES["ascii"], mech=m, token=PASSWORD if m in ("XOAUTH2", "OAUTHBEARER") else None))

    def f(ctx, mode=modes[0]):
        srv = ctx.server(cls)
        r = send(ctx, srv, mode, FROM, TO, [ctx.tmp(MESSAGES["ascii"])], mech=mechs[0], password="wrong")
        expect(r.rc == 77, "exit code %d for a wrong password, expected 77; %s" % (r.rc, r.err[-200:]))
    S.case("%s.auth.wrong-password" % prog, f)

    def g(ctx, mode=modes[0]):
        srv = ctx.server(cls)
        f = ctx.tmp(MESSAGES["ascii"])
        a = ["--user", USER, "--password", PASSWORD]
        deliver(ctx, srv, mode, FROM, TO, MESSAGES["ascii"], extra=a)
        srv.box.begin()
        r = send(ctx, srv, mode, FROM, TO, [f], extra=a + ["--verbose"])
        expect(r.rc == 0, "exit code %d" % r.rc)
        # Else it may arrive in the next case.
        srv.box.take(len(TO) if srv.box.per_rcpt else 1)
        tokens = [base64.b64encode(x).decode() for x in (b"secret", b"\0alice\0secret")]
        expect(r.err.strip(), "--verbose printed no transcript")
        expect("secret" not in r.err and not any(t in r.err for t in tokens), "the transcript shows the password")
    S.case("%s.auth.strongest-and-transcript" % prog, g)


# ------------------------------------------------------------------------------------------------- Dovecot
class Dovecot(RealServer):
    """LMTP, IMAP and POP3, the submission proxy, and SASL for Postfix."""
    lmtp = True
    return_path = True

    def start(self, ctx):
        prog = have("dovecot")
        d = ctx.dir("dovecot")
        self.d = d
        p = {k: free_port() for k in ("lmtp", "imap", "pop3", "submission", "sink")}
        mail = ctx.dir("dovecot/mail", "interop")
        sasl = ctx.dir("dovecot/sasl", mode=0o755)
        self.sasl = sasl + "/auth"
        for x in ("run", "state"):
            ctx.dir("dovecot/" + x)
        self.log = d + "/log"
        open(self.log, "w").close()
        os.chmod(self.log, 0o666)
        conf = """base_dir = %(d)s/run
state_dir = %(d)s/state
log_path = %(d)s/log
instance_name = interop
protocols = imap pop3 lmtp submission
listen = 127.0.0.1
hostname = mx.test.example
postmaster_address = postmaster@dest.example
ssl = yes
ssl_cert = <%(cert)s
ssl_key = <%(key)s
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
auth_username_chars =
auth_failure_delay = 0
mail_location = maildir:%(d)s/mail/%%Mu
mail_home = %(d)s/mail/%%Mu
first_valid_uid = 1
first_valid_gid = 1
mail_access_groups =
mail_max_userip_connections = 0
default_process_limit = 50
passdb {
  driver = static
  args = password={PLAIN}secret
}
userdb {
  driver = static
  args = uid=interop gid=interop allow_all_users=yes
}
service lmtp {
  inet_listener lmtp {
    port = %(lmtp)d
  }
  unix_listener lmtp {
    mode = 0
  }
}
service imap-login {
  inet_listener imap {
    port = %(imap)d
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = %(pop3)d
  }
  inet_listener pop3s {
    port = 0
  }
}
service submission-login {
  inet_listener submission {
    port = %(submission)d
  }
  inet_listener submissions {
    port = 0
  }
}
service auth {
  unix_listener %(sasl)s/auth {
    mode = 0666
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
submission_relay_host = 127.0.0.1
submission_relay_port = %(sink)d
submission_relay_ssl = no
recipient_delimiter =
lmtp_save_to_detail_mailbox = no
lda_mailbox_autocreate = yes
""" % dict(d=d, sasl=sasl, cert=ctx.cert["cert"], key=ctx.cert["key"], **p)
        open(d + "/dovecot.conf", "w").write(conf)
        self.sink_port = p["sink"]
        self.p = spawn([prog, "-F", "-c", d + "/dovecot.conf"], stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT)
        at_cleanup(lambda: stop(self.p))
        self.imap, self.pop3 = p["imap"], p["pop3"]
        try:
            for k in ("lmtp", "submission"):
                wait_port(p[k], banner=b"220", proc=self.p)
        except Fail as e:
            raise Fail("%s: %s %s" % (e, open(d + "/out").read()[-300:], self.tail()))
        self.endpoints = {"lmtp": p["lmtp"]}
        self.box = Box(mail, "maildir", True)


std(Dovecot, ["lmtp"], "dovecot-lmtp", envs=[e for e in ENVELOPES if e != "utf8addr"], nobody=False, toobig=False)


def readback(ctx, b):
    """What was sent comes back through IMAP and POP3, byte for byte."""
    srv = ctx.server(Dovecot)
    to = "reader-%s@dest.example" % b
    raw = crlf_end(MESSAGES[b])
    deliver(ctx, srv, "lmtp", FROM, [to], MESSAGES[b])
    c = imaplib.IMAP4("127.0.0.1", srv.imap)
    c.login(to, PASSWORD)
    c.select("INBOX", readonly=True)
    imap = c.fetch("1", "(RFC822)")[1][0][1]
    c.logout()
    q = poplib.POP3("127.0.0.1", srv.pop3)
    poplib._MAXLINE = 100000
    q.user(to)
    q.pass_(PASSWORD)
    pop = b"\r\n".join(q.retr(1)[1]) + b"\r\n"
    q.quit()
    for what, got in (("IMAP", imap), ("POP3", pop)):
        body = strip_fields(got, TRACE)
        expect(crlf_end(body) == raw, "%s gives other bytes: %s" % (what, first_diff(body, raw)))


for _b in BODIES:
    S.case("dovecot-readback." + _b, readback, _b)


class DovecotSubmission(RealServer):
    """Dovecot's submission proxy in front of aiosmtpd."""

    def start(self, ctx):
        back = ctx.server(Dovecot)
        self.box = Box(ctx.dir("dovecot-submission"), "eml", False)
        self.sink = aiosmtpd_start(self.box.path, back.sink_port)
        self.endpoints = {}
        conf = open(back.d + "/dovecot.conf").read()
        port = int(re.search(r"submission \{\s+port = (\d+)", conf)[1])
        self.endpoints = {"plain": port, "starttls": port}
        self.log = back.log


for _b in BODIES:
    S.case("dovecot-submission." + _b, lambda ctx, b=_b: deliver(ctx, ctx.server(DovecotSubmission), "plain", FROM, TO, MESSAGES[b], mech="PLAIN"))
for _m in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"):
    S.case("dovecot-submission.auth.%s" % _m, lambda ctx, m=_m: deliver(ctx, ctx.server(DovecotSubmission), "starttls", FROM, TO, MESSAGES["dots"], mech=m))
S.case("dovecot-submission.manyrcpt", lambda ctx: deliver(ctx, ctx.server(DovecotSubmission), "plain", *ENVELOPES["manyrcpt"], MESSAGES["ascii"], mech="PLAIN"))


# ------------------------------------------------------------------------------------------------- Postfix
class Postfix(RealServer):
    def start(self, ctx):
        prog = have("postfix")
        d = ctx.dir("postfix")
        conf, qd, dd = ctx.dir("postfix/etc"), ctx.dir("postfix/queue"), ctx.dir("postfix/data", "postfix")
        u = pwd.getpwnam("interop")
        base = ctx.dir("postfix/mail", "interop")
        try:
            sasl = ctx.server(Dovecot).sasl
        except (Fail, Skip):
            sasl = None
        self.endpoints = {k: free_port() for k in ("plain", "starttls", "implicit", "auth", "nochunk")}
        e = self.endpoints
        open(conf + "/access", "w").write("nobody@dest.example 550 5.1.1 no such mailbox\nlater@dest.example 450 4.2.1 come back later\n")
        open(conf + "/main.cf", "w").write("""compatibility_level = 3.6
queue_directory = %(qd)s
data_directory = %(dd)s
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.test.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
default_transport = virtual
virtual_mailbox_domains =
virtual_mailbox_base = %(base)s
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:%(uid)d
virtual_gid_maps = static:%(gid)d
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 15000000
maillog_file = %(d)s/maillog
maillog_file_prefixes = /
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access texthash:%(conf)s/access, permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_recipient_overshoot_limit = 1000
local_header_rewrite_clients =
smtputf8_enable = yes
smtpd_tls_cert_file = %(cert)s
smtpd_tls_key_file = %(key)s
smtpd_tls_security_level = none
smtpd_tls_session_cache_database =
smtpd_sasl_type = dovecot
smtpd_sasl_path = %(sasl)s
smtpd_sasl_security_options = noanonymous
""" % dict(qd=qd, dd=dd, d=d, conf=conf, base=base, uid=u.pw_uid, gid=u.pw_gid, cert=ctx.cert["cert"], key=ctx.cert["key"], sasl=sasl))
        m = "".join("%s unix %s %s n %s %s\n" % (x[0], x[1], "n" if x[0] == "virtual" else "-", x[2], x[3] + " " + x[4]) for x in (
            ("pickup", "n", "60", "1", "pickup"), ("cleanup", "n", "-", "0", "cleanup"), ("qmgr", "n", "300", "1", "qmgr"), ("rewrite", "-", "-", "-", "trivial-rewrite"),
            ("bounce", "-", "-", "0", "bounce"), ("defer", "-", "-", "0", "bounce"), ("trace", "-", "-", "0", "bounce"), ("verify", "-", "-", "1", "verify"),
            ("flush", "n", "1000?", "0", "flush"), ("proxymap", "-", "-", "-", "proxymap"), ("showq", "n", "-", "-", "showq"), ("error", "-", "-", "-", "error"),
            ("retry", "-", "-", "-", "error"), ("discard", "-", "-", "-", "discard"), ("virtual", "-", "-", "-", "virtual"), ("tlsmgr", "-", "1000?", "1", "tlsmgr"),
            ("anvil", "-", "-", "1", "anvil"), ("scache", "-", "-", "1", "scache")))
        m += "postlog unix-dgram n - n - 1 postlogd\n"
        opts = {"plain": [], "starttls": ["smtpd_tls_security_level=may"], "implicit": ["smtpd_tls_wrappermode=yes", "smtpd_tls_security_level=encrypt"],
                "auth": ["smtpd_tls_security_level=may", "smtpd_sasl_auth_enable=yes", "smtpd_relay_restrictions=permit_sasl_authenticated,reject",
                         "smtpd_recipient_restrictions=permit_sasl_authenticated,reject"] if sasl else [],
                "nochunk": ["smtpd_discard_ehlo_keywords=chunking,dsn,smtputf8,size,enhancedstatuscodes"]}
        for k, port in e.items():
            m += "127.0.0.1:%d inet n - n - - smtpd\n" % port + "".join("  -o %s\n" % x for x in opts[k])
        open(conf + "/master.cf", "w").write(m)
        self.log = d + "/maillog"
        p = spawn([prog, "-c", conf, "start-fg"], stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT)
        at_cleanup(lambda: (subprocess.run([prog, "-c", conf, "abort"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=15), stop(p)))
        for k in ("plain", "starttls"):
            wait_port(e[k], banner=b"220", proc=p)
        self.box = Box(base, "maildir", True)


std(Postfix, ["plain", "starttls", "implicit"], "postfix", later=True)
tls_cases(Postfix, "postfix")
no_starttls(Postfix, "postfix", "plain")
auth_cases(Postfix, "postfix", ["auth"], ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
for _b in BODIES:
    S.case("postfix.few-extensions.%s" % _b, lambda ctx, b=_b: deliver(ctx, ctx.server(Postfix), "nochunk", FROM, TO, MESSAGES[b], never=("BDAT", "SIZE", "SMTPUTF8")))


# ------------------------------------------------------------------------------------------------- smtp-sink
class SmtpSink(RealServer):
    return_path = False

    def start(self, ctx):
        prog = have("smtp-sink")
        box = ctx.dir("smtp-sink", "nobody", 0o777)
        self.endpoints = {"plain": free_port(), "bare": free_port(), "lmtp": free_port(), "one-file": free_port()}
        for k, extra in (("plain", []), ("bare", ["-8", "-e", "-p"]), ("lmtp", ["-L"]), ("one-file", [])):
            os.makedirs(box + "/" + k, exist_ok=True)
            os.chmod(box + "/" + k, 0o777)
            dump = ["-D", k + "/all"] if k == "one-file" else ["-d", k + "/%M."]
            p = spawn([prog, "-u", "nobody", "-R", box, "-h", "mx.test.example"] + dump + extra + ["127.0.0.1:%d" % self.endpoints[k], "200"],
                      stdout=open(ctx.work + "/sink-%s.out" % k, "wb"), stderr=subprocess.STDOUT)
            at_cleanup(lambda p=p: stop(p))
            wait_port(self.endpoints[k], banner=b"220", proc=p)
        self.box = Box(box, "plain", False)
        self.box.files = lambda: sorted(f for f in glob.glob(box + "/*/*") if os.path.isfile(f) and os.path.getsize(f))

    def read(self, f):
        end = time.time() + 3
        while True:                      # the file grows while the message comes in
            a = os.path.getsize(f)
            time.sleep(0.03)
            if a == os.path.getsize(f) or time.time() > end:
                break
        got = to_crlf(open(f, "rb").read())
        return got[:-2] if got.endswith(b"\r\n") else got        # smtp-sink -d ends a file with an empty line of its own


def sink_one_file(ctx):
    """smtp-sink -D puts all messages, one behind the other, into one file."""
    srv = ctx.server(SmtpSink)
    names = [b for b in BODIES if b != "attachment5m"]
    files = [ctx.tmp(MESSAGES[b]) for b in names]
    r = send(ctx, srv, "one-file", FROM, TO, files)
    expect(r.rc == 0, "exit code %d: %s" % (r.rc, r.err.strip()[-250:]))
    lines(r, TO, len(names))
    [dump] = srv.box.take(1)
    got = srv.read(dump)
    for b in names:
        expect(got.count(crlf_end(MESSAGES[b])) == 1, "%s is not once in the dump" % b)


S.case("smtp-sink.one-dump-file", sink_one_file)
S.case("smtp-sink.plain.empty", lambda ctx: deliver(ctx, ctx.server(SmtpSink), "plain", FROM, TO, MESSAGES["empty"]))
std(SmtpSink, ["plain"], "smtp-sink", envs=["manyrcpt", "nullsender", "quotedlocal", "ipv6literal"], nobody=False, toobig=False)
for _b in ("ascii", "dots", "lonedot", "longlines"):
    S.case("smtp-sink.helo-only.%s" % _b, lambda ctx, b=_b: deliver(ctx, ctx.server(SmtpSink), "bare", FROM, TO, MESSAGES[b], never=("BDAT", "PIPELINING", "SIZE")))
S.case("smtp-sink.lmtp", lambda ctx: deliver(ctx, ctx.server(SmtpSink), "lmtp", FROM, TO, MESSAGES["dots"]))
S.case("smtp-sink.lmtp.manyrcpt", lambda ctx: deliver(ctx, ctx.server(SmtpSink), "lmtp", *ENVELOPES["manyrcpt"], MESSAGES["dots"]))


# ------------------------------------------------------------------------------------------------- Exim
class Exim(RealServer):
    def start(self, ctx):
        prog = prefixed("exim/usr/sbin/exim4")
        d = ctx.dir("exim", "Debian-exim")
        for x in ("spool", "log", "mail"):
            ctx.dir("exim/" + x, "Debian-exim")
        key = d + "/key.pem"
        shutil.copy(ctx.cert["key"], key)
        shutil.chown(key, "Debian-exim", "Debian-exim")
        self.endpoints = {k: free_port() for k in ("plain", "starttls", "implicit")}
        e = self.endpoints
        conf = d + "/exim.conf"
        open(conf, "w").write("""primary_hostname = mx.test.example
spool_directory = %(d)s/spool
log_file_path = %(d)s/log/%%slog
exim_path = %(prog)s
keep_environment =
allow_domain_literals
allow_utf8_domains
deliver_drop_privilege
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
chunking_advertise_hosts = *
pipelining_connect_advertise_hosts = *
prdr_enable
acl_smtp_rcpt = rcpt
acl_smtp_data = ok
acl_smtp_mail = ok
never_users =
host_lookup =
rfc1413_query_timeout = 0s
message_size_limit = 15M
recipients_max = 1000
log_selector = +all
daemon_smtp_ports = %(plain)d : %(starttls)d : %(implicit)d
local_interfaces = 127.0.0.1
tls_on_connect_ports = %(implicit)d
tls_certificate = %(cert)s
tls_privatekey = %(key)s
tls_advertise_hosts = ${if eq{$received_port}{%(plain)d}{:}{*}}
smtp_accept_max = 200
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
queue_run_max = 10
begin acl
rcpt:
  deny local_parts = nobody
       message = no such mailbox
  defer local_parts = later
       message = come back later
  accept
ok:
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = %(d)s/mail
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
  user = Debian-exim
  group = Debian-exim
begin retry
* * F,1m,5s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{alice}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{alice}}{eq{$auth2}{secret}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{alice}{secret}fail}
  server_set_id = $auth1
""" % dict(d=d, prog=prog, cert=ctx.cert["cert"], key=key, **e))
        self.log = d + "/log/mainlog"
        p = spawn([prog, "-C", conf, "-bdf", "-oP", d + "/pid"], stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT)
        at_cleanup(lambda: stop(p))
        try:
            for x in e.values():
                wait_port(x, proc=p)
        except Fail as x:
            raise Fail("%s: %s %s" % (x, open(d + "/out").read()[-300:], self.tail()))
        self.box = Box(d + "/mail", "maildir", True)


std(Exim, ["plain", "starttls", "implicit"], "exim", later=True)
tls_cases(Exim, "exim")
no_starttls(Exim, "exim", "plain")
auth_cases(Exim, "exim", ["starttls", "plain"], ["CRAM-MD5", "PLAIN", "LOGIN"])


# ------------------------------------------------------------------------------------------------- OpenSMTPD
class OpenSMTPD(RealServer):
    def start(self, ctx):
        prog = prefixed("opensmtpd/usr/sbin/smtpd")
        for x in ("/var/spool/smtpd", "/var/lib/opensmtpd/empty", "/usr/libexec/opensmtpd"):
            if not os.path.isdir(x):
                raise Missing("no %s (setup.sh makes it)" % x)
        d = ctx.dir("opensmtpd")
        spool, rundir, home = ctx.dir("opensmtpd/spool", mode=0o711), ctx.dir("opensmtpd/run"), ctx.dir("opensmtpd/home", "interop")
        box = ctx.dir("opensmtpd/home/mail", "interop")
        u = pwd.getpwnam("interop")
        self.endpoints = {k: free_port() for k in ("plain", "starttls", "implicit")}
        e = self.endpoints
        pw = subprocess.run(["openssl", "passwd", "-6", "secret"], capture_output=True, text=True, check=True).stdout.strip()
        key = ctx.tmp(open(ctx.cert["eckey"], "rb").read())      # its RSA engine fails with OpenSSL 3 ("EVP lib")
        os.chmod(key, 0o600)
        conf = ctx.tmp(("""pki mx.test.example cert "%s"
pki mx.test.example key "%s"
smtp max-message-size 15M
table creds { alice = "%s" }
table virt { "@" = interop }
table users { interop = "%d:%d:%s" }
listen on 127.0.0.1 port %d hostname mx.test.example
listen on 127.0.0.1 port %d hostname mx.test.example tls pki mx.test.example auth-optional <creds>
listen on 127.0.0.1 port %d hostname mx.test.example smtps pki mx.test.example auth-optional <creds>
action "box" maildir "%s" virtual <virt> userbase <users>
match from any for rcpt-to "nobody@dest.example" reject
match from any for any action "box"
""" % (ctx.cert["eccert"], key, pw, u.pw_uid, u.pw_gid, home, e["plain"], e["starttls"], e["implicit"], box)).encode())
        os.chmod(conf, 0o644)
        self.log = d + "/out"
        p = spawn([have("unshare"), "-m", "--propagation", "private", "sh", "-c", "set -e; mount --bind %s /var/spool/smtpd; mount --bind %s /run; exec \"$@\"" % (spool, rundir), "sh",
                   prog, "-d", "-f", conf], stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT)
        at_cleanup(lambda: stop(p))
        try:
            wait_port(e["plain"], banner=b"220", proc=p)
        except Fail as x:
            raise Fail("%s %s" % (x, self.tail()))
        self.box = Box(box, "maildir", True)


std(OpenSMTPD, ["plain"], "opensmtpd", envs=["manyrcpt", "nullsender"])
no_starttls(OpenSMTPD, "opensmtpd", "plain")


def osd_tls(ctx, mode):
    """Debian 12's OpenSMTPD 6.8.0p2 cannot do TLS as a server (OpenSMTPD issues 1171 and 1239: OpenSSL 3), and offers AUTH only with TLS:
    the handshake fails on its side, which the sender has to report as 76; a build that can do TLS must take the message."""
    srv = ctx.server(OpenSMTPD)
    r = send(ctx, srv, mode, FROM, TO, [ctx.tmp(MESSAGES["ascii"])])
    if r.rc == 0:
        srv.box.take(1)
    else:
        expect(r.rc == 76, "exit code %d after a failed TLS handshake, expected 76; %s" % (r.rc, r.err[-200:]))


S.case("opensmtpd.tls.broken-handshake", osd_tls, "starttls")
S.case("opensmtpd.tls.broken-handshake-implicit", osd_tls, "implicit")


# ------------------------------------------------------------------------------------------------- aiosmtpd
def aiosmtpd_start(box, port, tls=None, auth=False, lmtp=False, implicit=None):
    try:
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import SMTP, AuthResult
        from aiosmtpd.lmtp import LMTP
    except ImportError:
        raise Missing("no aiosmtpd")
    warnings.simplefilter("ignore")
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    n = [0]

    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, opts):
            if address.startswith("nobody@"):
                return "550 5.1.1 no such mailbox"
            if address.startswith("later@"):
                return "450 4.2.1 come back later"
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(opts)
            return "250 2.1.5 ok"

        async def handle_DATA(self, server, session, envelope):
            n[0] += 1
            base = os.path.join(box, "%05d" % n[0])
            open(base + ".env", "w", encoding="utf-8").write("\n".join([envelope.mail_from or ""] + envelope.rcpt_tos) + "\n")
            open(base + ".part", "wb").write(envelope.content)
            os.rename(base + ".part", base + ".eml")
            return "\r\n".join(["250 2.0.0 stored"] * (len(envelope.rcpt_tos) if lmtp else 1))

    def check(server, session, envelope, mech, data):
        ok = (data.login, data.password) == (b"alice", b"secret")
        return AuthResult(success=ok, handled=ok)

    class C(Controller):
        def factory(self):
            kw = dict(hostname="mx.test.example", enable_SMTPUTF8=True, data_size_limit=15_000_000)
            if tls:
                kw["tls_context"] = tls
            if auth:
                kw.update(authenticator=check, auth_require_tls=False)
            return (LMTP if lmtp else SMTP)(self.handler, **kw)
    kw = dict(ssl_context=implicit) if implicit else {}
    c = C(Handler(), hostname="127.0.0.1", port=port, ready_timeout=10, **kw)
    c.start()
    at_cleanup(c.stop)
    return c


class Aiosmtpd(RealServer):
    return_path = False

    def start(self, ctx):
        box = ctx.dir("aiosmtpd")
        self.box = Box(box, "eml", False)
        self.box.files = lambda: sorted(glob.glob(box + "/*/*.eml"))
        cx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cx.load_cert_chain(ctx.cert["cert"], ctx.cert["key"])
        self.endpoints = {k: free_port() for k in ("plain", "starttls", "implicit", "lmtp")}
        for k, kw in (("plain", dict(auth=True)), ("starttls", dict(tls=cx, auth=True)), ("implicit", dict(implicit=cx)), ("lmtp", dict(lmtp=True))):
            os.makedirs(box + "/" + k)
            aiosmtpd_start(box + "/" + k, self.endpoints[k], **kw)


S.case("aiosmtpd.plain.empty", lambda ctx: deliver(ctx, ctx.server(Aiosmtpd), "plain", FROM, TO, MESSAGES["empty"]))
std(Aiosmtpd, ["plain", "starttls", "implicit"], "aiosmtpd", later=True)
tls_cases(Aiosmtpd, "aiosmtpd")
no_starttls(Aiosmtpd, "aiosmtpd", "plain")
auth_cases(Aiosmtpd, "aiosmtpd", ["plain", "starttls"], ["PLAIN", "LOGIN"])
S.case("aiosmtpd.lmtp", lambda ctx: deliver(ctx, ctx.server(Aiosmtpd), "lmtp", FROM, ["bob@dest.example", "carol@dest.example"], MESSAGES["dots"]))


def lmtp_mixed(ctx):
    srv = ctx.server(Aiosmtpd)
    tos = ["bob@dest.example", "nobody@dest.example", "later@dest.example", "carol@dest.example"]
    r = send(ctx, srv, "lmtp", FROM, tos, [ctx.tmp(MESSAGES["ascii"])])
    got = lines(r, tos)
    expect([got[t][0][0] // 100 for t in tos] == [2, 5, 4, 2], "codes %r" % got)
    expect(r.rc == 75, "exit code %d, expected 75" % r.rc)


S.case("aiosmtpd.lmtp.mixed", lmtp_mixed)


# ------------------------------------------------------------------------------------------------- smtp-server (nodemailer)
class NodeServer(RealServer):
    return_path = False

    def start(self, ctx):
        prefixed("node/node_modules/smtp-server")
        box = ctx.dir("smtp-server")
        self.box = Box(box, "eml", False)
        self.box.files = lambda: sorted(glob.glob(box + "/*/*.eml"))
        self.endpoints = {k: free_port() for k in ("plain", "starttls", "implicit", "lmtp")}
        c, k = ctx.cert["cert"], ctx.cert["key"]
        for m, kw in (("plain", {}), ("starttls", dict(cert=c, key=k, auth=True)), ("implicit", dict(cert=c, key=k, secure=True, auth=True)), ("lmtp", dict(lmtp=True))):
            os.makedirs(box + "/" + m)
            p = spawn([have("node"), os.path.join(HERE, "node/server.js"), json.dumps(dict(modules=os.path.join(PREFIX, "node/node_modules"), port=self.endpoints[m], dir=box + "/" + m, **kw))],
                      stdout=open(ctx.work + "/node-%s.out" % m, "wb"), stderr=subprocess.STDOUT)
            at_cleanup(lambda p=p: stop(p))
            wait_port(self.endpoints[m], proc=p)


std(NodeServer, ["plain", "starttls", "implicit"], "smtp-server", later=True, envs=[e for e in ENVELOPES if e != "quotedlocal"])     # it refuses quoted local parts
tls_cases(NodeServer, "smtp-server")
no_starttls(NodeServer, "smtp-server", "plain")
auth_cases(NodeServer, "smtp-server", ["starttls", "implicit"], ["PLAIN", "LOGIN", "CRAM-MD5"])
S.case("smtp-server.auth.XOAUTH2", lambda ctx: deliver(ctx, ctx.server(NodeServer), "starttls", FROM, TO, MESSAGES["ascii"], mech="XOAUTH2", token=PASSWORD))
S.case("smtp-server.lmtp", lambda ctx: deliver(ctx, ctx.server(NodeServer), "lmtp", FROM, ["bob@dest.example", "carol@dest.example"], MESSAGES["dots"]))


# ------------------------------------------------------------------------------------------------- Haraka
class Haraka(RealServer):
    return_path = False

    def start(self, ctx):
        prog = prefixed("node/node_modules/Haraka/bin/haraka")
        d = ctx.dir("haraka")
        for x in ("config", "plugins", "queue", "box"):
            ctx.dir("haraka/" + x)
        self.endpoints = {"plain": free_port(), "implicit": free_port()}
        self.endpoints["starttls"] = self.endpoints["plain"]
        shutil.copy(os.path.join(HERE, "node/haraka_dump.js"), d + "/plugins/dump.js")
        w = lambda n, t: open(d + "/config/" + n, "w").write(t)
        w("plugins", "tls\nauth/flat_file\ndump\n")
        w("smtp.ini", "listen=127.0.0.1:%d,127.0.0.1:%d\nsmtps_port=%d\nnodes=0\nspool_dir=%s\n[headers]\nclean_auth_results=false\n[main]\nsmtps_port=%d\n" % (
            self.endpoints["plain"], self.endpoints["implicit"], self.endpoints["implicit"], ctx.dir("haraka/spool"), self.endpoints["implicit"]))
        w("me", "mx.test.example\n")
        w("databytes", "15000000\n")
        w("host_list", "dest.example\n")
        w("tls.ini", "key=tls_key.pem\ncert=tls_cert.pem\n")
        w("auth_flat_file.ini", "[core]\nmethods=PLAIN,LOGIN,CRAM-MD5\n[users]\nalice=secret\n")
        w("loglevel", "WARN\n")
        ini = open(os.path.join(PREFIX, "node/node_modules/Haraka/config/connection.ini")).read()
        ini = re.sub(r"(?m)^;? *bytes *=.*$", "bytes=15000000", ini)
        w("connection.ini", re.sub(r"(?m)^;? *data_line_length *=.*$", "data_line_length=2000", ini))      # 992 folds lines of 998
        w("internalcmd_key", "x\n")
        shutil.copy(ctx.cert["key"], d + "/config/tls_key.pem")
        shutil.copy(ctx.cert["cert"], d + "/config/tls_cert.pem")
        self.log = d + "/out"
        p = spawn([have("node"), prog, "-c", d], stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT, env={**os.environ, "DUMP_DIR": d + "/box"})
        at_cleanup(lambda: stop(p))
        try:
            wait_port(self.endpoints["plain"], banner=b"220", proc=p)
        except Fail as x:
            raise Fail("%s %s" % (x, self.tail()))
        self.box = Box(d + "/box", "eml", False)


std(Haraka, ["plain", "starttls", "implicit"], "haraka", later=True)
auth_cases(Haraka, "haraka", ["starttls"], ["PLAIN", "LOGIN", "CRAM-MD5"])


# ------------------------------------------------------------------------------------------------- mailin-embedded
class Mailin(RealServer):
    return_path = False

    def start(self, ctx):
        prog = prefixed("rust-target/debug/mailin-server")
        box = ctx.dir("mailin")
        self.box = Box(box, "eml", False)
        self.box.files = lambda: sorted(glob.glob(box + "/*/*.eml"))
        self.endpoints = {"plain": free_port(), "starttls": free_port(), "auth": free_port()}
        pair = [ctx.cert["cert"], ctx.cert["key"]]
        for k, a in (("plain", ["-", "-"]), ("starttls", pair), ("auth", pair + ["auth"])):
            os.makedirs(box + "/" + k)
            p = spawn([prog, "127.0.0.1:%d" % self.endpoints[k], box + "/" + k] + a, stdout=open(ctx.work + "/mailin-%s.out" % k, "wb"), stderr=subprocess.STDOUT)
            at_cleanup(lambda p=p: stop(p))
            wait_port(self.endpoints[k], proc=p)


# its parser refuses <> and quoted local parts
std(Mailin, ["plain", "starttls"], "mailin", envs=["manyrcpt", "ipv6literal"], toobig=False)
auth_cases(Mailin, "mailin", ["auth"], ["PLAIN", "LOGIN"])


# ------------------------------------------------------------------------------------------------- chasquid
class Chasquid(RealServer):
    def start(self, ctx):
        prog = have("chasquid")
        d = ctx.dir("chasquid", "interop")
        for x in ("conf/certs/mx.test.example", "conf/domains/dest.example", "data", "box/new"):
            ctx.dir("chasquid/" + x, "interop")
        for x in ("conf", "conf/certs", "conf/domains", "box"):
            shutil.chown(d + "/" + x, "interop", "interop")
        shutil.copy(ctx.cert["cert"], d + "/conf/certs/mx.test.example/fullchain.pem")
        shutil.copy(ctx.cert["key"], d + "/conf/certs/mx.test.example/privkey.pem")
        for f in ("fullchain.pem", "privkey.pem"):
            shutil.chown(d + "/conf/certs/mx.test.example/" + f, "interop", "interop")
        mda = d + "/mda.sh"
        open(mda, "w").write("#!/bin/sh\nf=$(mktemp -u m.XXXXXXXXXXXX)\ncat >%s/box/$f && mv %s/box/$f %s/box/new/$f\n" % (d, d, d))
        os.chmod(mda, 0o755)
        self.endpoints = {"starttls": free_port(), "auth": free_port(), "implicit": free_port()}
        e = self.endpoints
        open(d + "/conf/chasquid.conf", "w").write("""hostname: "mx.test.example"
max_data_size_mb: 15
smtp_address: "127.0.0.1:%d"
submission_address: "127.0.0.1:%d"
submission_over_tls_address: "127.0.0.1:%d"
mail_delivery_agent_bin: "%s"
mail_delivery_agent_args: "%%to%%"
data_dir: "%s/data"
mail_log_path: "%s/mail.log"
suffix_separators: ""
drop_characters: ""
dovecot_auth: false
""" % (e["starttls"], e["auth"], e["implicit"], mda, d, d))
        shutil.chown(d + "/conf/chasquid.conf", "interop", "interop")
        names = ["bob", "carol", "bøb"] + ["user%03d" % i for i in range(100)]
        util = have("chasquid-util")
        # one account made by its own tool, the others as copies of it
        r = subprocess.run([util, "-C=" + d + "/conf", "user-add", "alice@dest.example", "--password=secret"], capture_output=True)
        expect(r.returncode == 0, "chasquid-util: %r" % (r.stdout + r.stderr)[-200:])
        users = d + "/conf/domains/dest.example/users"
        t = open(users).read()
        open(users, "w").write(t + "".join(t.replace('"alice"', '"%s"' % n) for n in names))
        shutil.chown(users, "interop", "interop")
        self.log = d + "/out"
        u = pwd.getpwnam("interop")
        p = spawn([have("setpriv"), "--reuid", "interop", "--regid", "interop", "--clear-groups", prog, "-config_dir=" + d + "/conf", "-logtime=false"],
                  stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT, env={**os.environ, "HOME": d})
        at_cleanup(lambda: stop(p))
        try:
            wait_port(e["starttls"], banner=b"220", proc=p)
        except Fail as x:
            raise Fail("%s %s" % (x, self.tail()))
        self.box = Box(d + "/box", "maildir", True)


for _b in BODIES:
    S.case("chasquid.starttls." + _b, lambda ctx, b=_b: deliver(ctx, ctx.server(Chasquid), "starttls", FROM, TO, MESSAGES[b]))
for _e in ("manyrcpt", "nullsender", "utf8addr"):
    S.case("chasquid.starttls." + _e, lambda ctx, e=_e: deliver(ctx, ctx.server(Chasquid), "starttls", *ENVELOPES[e], MESSAGES["ascii"]))
for _b in ("ascii", "dots", "attachment5m"):
    S.case("chasquid.clear." + _b, lambda ctx, b=_b: deliver(ctx, ctx.server(Chasquid), "starttls", FROM, TO, MESSAGES[b], tls="none"))
S.case("chasquid.auth.PLAIN", lambda ctx: deliver(ctx, ctx.server(Chasquid), "auth", "alice@dest.example", TO, MESSAGES["ascii"], tls="starttls",
                                                  extra=["--user", "alice@dest.example", "--password", PASSWORD, "--auth", "PLAIN"]))
S.case("chasquid.auth.implicit", lambda ctx: deliver(ctx, ctx.server(Chasquid), "implicit", "alice@dest.example", TO, MESSAGES["ascii"],
                                                     extra=["--user", "alice@dest.example", "--password", PASSWORD, "--auth", "PLAIN"]))


# ------------------------------------------------------------------------------------------------- no server at all
def nothing_there(ctx):
    f = ctx.tmp(MESSAGES["ascii"])
    r = run(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % free_port(), "--from", FROM, "--to", TO[0], f], check=False)
    expect(r.rc == 75, "exit code %d where nothing listens, expected 75" % r.rc)
    expect(re.fullmatch(r"%s 4\d\d 4\.\d\.\d .+\n" % re.escape(TO[0]), r.out), "no line for the recipient: %r" % r.out)


def usage(ctx):
    f = ctx.tmp(MESSAGES["ascii"])
    r = run(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % free_port(), "--to", TO[0], f], check=False)
    expect(r.rc == 64, "exit code %d without --from, expected 64" % r.rc)
    r = run(shlex.split(o.send_cmd) + ["--from", FROM, "--to", TO[0], "--no-such-flag", f], check=False)
    expect(r.rc == 64, "exit code %d for an unknown flag, expected 64" % r.rc)
    # Nobody is called before the command line is right: 75 would have a queue try it for ever.
    for flags in (["--server", "nowhere"], ["--server", "127.0.0.1:99999"], ["--helo", "bad name"], ["--tls", "starttls", "--ca", "/nowhere"], ["--repeat", "0"],
                  ["--timeout", "0"], ["--user", "alice"], ["--password", "hunter2"], ["--auth", "PLAIN"], ["--user", "", "--password", "hunter2"],
                  ["--password", "", "--user", "alice"], ["--token", ""], ["--token", "hunter2", "--user", "alice", "--password", "hunter2"], ["-", "-"]):
        r = run(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % free_port(), "--from", FROM, "--to", TO[0], f][2 * ("--server" in flags):] + flags, check=False)
        expect(r.rc == 64, "%s: exit code %d, expected 64" % (flags, r.rc))
        flag = "--ca" if "--ca" in flags else flags[0]
        expect(flag in r.err and "hunter" not in r.err, "%s: %r" % (flags, r.err))


def no_starttls_anywhere(ctx):
    """Nothing is sent, and nothing that is printed says that it is worth another try."""
    f = ctx.tmp(MESSAGES["ascii"])
    for replies, code in ((SERVES[:2] + [b"221 bye\r\n"], "530 5.7.4"),
                          ([SERVES[0], b"250-x\r\n250 STARTTLS\r\n", b"454 4.7.0 not now\r\n", b"221 bye\r\n"], "454 4.7.0 not now"),
                          ([SERVES[0], b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"], "554 5.7.5"), ([b"HTTP/1.1 400 Bad Request\r\n"], "554 5.5.0")):
        port, got = scripted(replies)
        r = run(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % port, "--tls", "starttls", "--insecure", "--from", FROM, "--to", TO[0], f], check=False)
        expect(r.rc == 76 and r.out.startswith("%s %s" % (TO[0], code)), "exit code %d, %r" % (r.rc, r.out))
        expect(not any(line.startswith(b"MAIL") for line in got), "%r" % got)


def standard_input(ctx):
    """A message called - is standard input, among others too."""
    named = ctx.tmp(b"Subject: a file\r\n\r\n")
    for files, subjects in ((["-"], [b"input"]), ([named, "-"], [b"a file", b"input"])):
        port, got = scripted(SERVES[:2] + (SERVES[2:] + [b""] * 2 + [b"250 2.0.0 kept\r\n"]) * 2)
        r = run(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % port, "--tls", "none", "--from", FROM, "--to", TO[0], *files], input=b"Subject: input\n\n", check=False)
        sent = [line[9:-2] for line in got if line.startswith(b"Subject: ")]
        expect((r.rc, sent) == (0, subjects), "exit code %d, sent %r" % (r.rc, sent))


def scripted(replies, close_after=None):
    """A listener that answers each line with the next reply; returns (port, lines got)."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(5)
    got = []

    def serve():
        c, _ = s.accept()
        f = c.makefile("rb")
        c.sendall(replies[0])
        for r in replies[1:]:
            l = f.readline()
            if not l:
                break
            got.append(l)
            c.sendall(r)
        c.close()
    threading.Thread(target=serve, daemon=True).start()
    return s.getsockname()[1], got


def peer_cases(name, replies, rcs):
    def f(ctx):
        port, got = scripted(replies)
        r = run(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % port, "--tls", "none", "--from", FROM, "--to", TO[0], ctx.tmp(MESSAGES["ascii"])], check=False)
        expect(r.rc in rcs, "exit code %d, expected %s" % (r.rc, " or ".join(map(str, rcs))))
    S.case("peer." + name, f)


SERVES = [b"220 x ESMTP\r\n", b"250 x\r\n", b"250 2.1.0 ok\r\n", b"250 2.1.5 ok\r\n", b"354 go\r\n"]


def output_full(ctx):
    """The exit code is what the server said, though nobody can be told; and nothing panics."""
    for last, rc in ((b"250 2.0.0 kept\r\n", 0), (b"550 5.7.1 no\r\n", 69), (b"451 4.3.0 later\r\n", 75)):
        for err in (subprocess.PIPE, open("/dev/full", "wb")):
            port, _ = scripted(SERVES + [b""] * 3 + [last, b"221 bye\r\n"])
            p = spawn(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % port, "--tls", "none", "--from", FROM, "--to", TO[0], ctx.tmp(b"Subject: x\r\n\r\nx\r\n")],
                      stdout=open("/dev/full", "wb"), stderr=err)
            said = p.communicate(timeout=20)[1]
            expect(p.returncode == rc, "exit code %d, expected %d; %r" % (p.returncode, rc, said))


S.case("peer.nothing-listens", nothing_there)
S.case("peer.output-full", output_full)
def bad_among_good(ctx):
    """A message that is wrong for every server keeps those behind it from nobody."""
    files = [ctx.tmp(b"Subject: %s\r\n\r\n" % s) for s in (b"one", b"a\rb", b"two")]
    port, got = scripted(SERVES[:2] + (SERVES[2:] + [b""] * 2 + [b"250 2.0.0 kept\r\n"]) * 2)
    r = run(shlex.split(o.send_cmd) + ["--server", "127.0.0.1:%d" % port, "--tls", "none", "--from", FROM, "--to", TO[0], *files], check=False)
    sent = [line[9:-2] for line in got if line.startswith(b"Subject: ")]
    codes = [line.split(" ")[1] for line in r.out.splitlines()]
    expect((r.rc, sent, sorted(codes)) == (65, [b"one", b"two"], ["250", "250", "554"]), "exit code %d, sent %r, %r" % (r.rc, sent, r.out))


S.case("peer.usage", usage)
S.case("peer.bad-among-good", bad_among_good)
S.case("peer.no-starttls", no_starttls_anywhere)
S.case("peer.standard-input", standard_input)
peer_cases("greeting-554", [b"554 5.3.2 no mail here\r\n", b"221 bye\r\n"], [69])
peer_cases("greeting-421", [b"421 4.3.2 busy\r\n"], [75])
peer_cases("greeting-garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], [76])
peer_cases("closed-after-mail", [b"220 x ESMTP\r\n", b"250 x\r\n"], [75])
peer_cases("421-at-rcpt", [b"220 x ESMTP\r\n", b"250 x\r\n", b"250 2.1.0 ok\r\n", b"421 4.3.2 going down\r\n"], [75])

if __name__ == "__main__":
    sys.exit(main(S, Ctx))
