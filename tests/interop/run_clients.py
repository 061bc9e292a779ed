#!/usr/bin/env python3
"""Runs real mail clients and relaying MTAs against our server (examples/server.rs).

  run_clients.py --server-cmd 'target/release/examples/server' [--basic] [--only NAME] [--skip NAME] [--list]
"""
import asyncio, fcntl, queue, shlex, smtplib
from common import *

if __name__ == "__main__":
    reexec_in_venv()

S = Suite(__doc__,
          basic=["swaks.plain", "swaks.noext", "swaks.pipelining", "swaks.ipv6", "swaks.reject.recipient", "swaks.reject.size", "swaks.reject.smtputf8",
                 "curl.plain", "curl.noext", "curl.ipv6", "curl.reject.partial", "curl.reject.recipient", "curl.reject.toomany", "curl.reject.size",
                 "smtplib.plain", "smtplib.noext", "smtplib.8bitmime", "smtplib.session", "smtp-source.plain", "smtp-source.load", "process.sigterm", "process.report-nobody-reads",
                 "process.output-not-emptied", "process.transcript-not-emptied", "process.output-full",
                 "process.auth-without-accounts", "process.wrong-usage", "process.no-size-limit"],
          but_not=["*.utf8addr", "smtp-source.load.lmtp"])
o = S.parse(lambda ap: (
    ap.add_argument("--server-cmd", default="cargo run --quiet --release --all-features --example server --", help="command that starts the server; flags are added"),
    ap.add_argument("--optional-mechs", default="XOAUTH2,OAUTHBEARER,SCRAM-SHA-256-PLUS,SCRAM-SHA-1-PLUS,DIGEST-MD5,NTLM,EXTERNAL",
                    help="AUTH mechanisms that the server may lack (their cases are then skipped)"),
    ap.add_argument("--start-timeout", type=float, default=60)))
OPTIONAL = set(o.optional_mechs.split(","))
USER, PASSWORD = "alice", "secret"          # the token of XOAUTH2 and OAUTHBEARER is the password too
FROM, TO = "alice@sender.example", ["bob@dest.example"]

CONFIGS = {   # flags beside --listen, --hostname and --maildir; TLS mode; LMTP?
    "plain": ([], "none", False),
    "plain6": ([], "none", False),
    "starttls": (["--tls", "starttls", "CERT"], "starttls", False),
    "implicit": (["--tls", "implicit", "CERT"], "implicit", False),
    "auth": (["--tls", "starttls", "CERT", "--user", "alice:secret", "--require-auth"], "starttls", False),
    "authplain": (["--tls", "none", "--user", "alice:secret", "--user", "bob:hunter2", "--require-auth", "--allow-plaintext-auth"], "none", False),
    "authtls": (["--tls", "implicit", "CERT", "--user", "alice:secret", "--require-auth"], "implicit", False),
    "submission": (["--protocol", "submission", "CERT", "--user", "alice:secret"], "starttls", False),
    "lmtp": (["--protocol", "lmtp"], "none", True),
    "noext": (["--extensions", "none"], "none", False),
    "nochunk": (["--extensions", "PIPELINING,SIZE,8BITMIME,ENHANCEDSTATUSCODES,DSN,SMTPUTF8"], "none", False),
    "limited": (["--max-size", "20000", "--max-recipients", "5", "--reject-recipient", "nobody@dest.example"], "none", False),
}
PROTO = re.compile(r"(UTF8)?(E?SMTP|LMTP)(S?)(A?)$")


class Server:
    def __init__(self, ctx, conf):
        flags, self.tls, self.lmtp = CONFIGS[conf]
        self.conf, self.ctx = conf, ctx
        self.maildir = os.path.join(ctx.work, "server-" + conf)
        self.host = "::1" if conf.endswith("6") else "127.0.0.1"
        argv = shlex.split(o.server_cmd) + ["--listen", ("[%s]:0" if ":" in self.host else "%s:0") % self.host, "--hostname", "mx.test.example",
                                            "--maildir", self.maildir]
        for f in flags:
            argv += ["--cert", ctx.cert["cert"], "--key", ctx.cert["key"]] if f == "CERT" else [f]
        self.err = open(os.path.join(ctx.work, "server-%s.err" % conf), "wb")
        self.p = spawn(argv, stdout=subprocess.PIPE, stderr=self.err)
        self.records, self.cond, self.first = [], threading.Condition(), queue.Queue()
        self.bad = []
        threading.Thread(target=self._read, daemon=True).start()
        try:
            line = self.first.get(timeout=o.start_timeout)
        except queue.Empty:
            raise Fail("the server (%s) printed no 'listening on' line in %g s" % (conf, o.start_timeout))
        m = re.fullmatch(r"listening on (.*):(\d+)", line)
        if not m:
            tail = open(self.err.name, "rb").read()[-300:].decode("utf-8", "replace")
            raise Fail("the server (%s) said %r at start; %s" % (conf, line, tail))
        self.real_port = int(m[2])
        self.proxy = Proxy((self.host, self.real_port), self.host)
        self.port, self.mark = self.proxy.port, 0

    def _read(self):
        n = 0
        for line in self.p.stdout:
            line = line.decode("utf-8", "replace").rstrip("\n")
            n += 1
            if n == 1:
                self.first.put(line)
                continue
            with self.cond:
                try:
                    self.records.append(json.loads(line))
                except ValueError:
                    self.bad.append(line)
                self.cond.notify_all()
        self.first.put("(end of output)")

    def take(self, n, timeout=30):
        with self.cond:
            self.cond.wait_for(lambda: len(self.records) >= self.mark + n or self.bad, timeout)
            expect(not self.bad, "not a JSON line: %r" % self.bad[:1])
            got = self.records[self.mark:]
        expect(len(got) >= n, "%d JSON lines of %d after %g s" % (len(got), n, timeout))
        expect(len(got) == n, "%d JSON lines instead of %d" % (len(got), n))
        return got

    def wires(self):
        return [Wire(list(c)) for c in self.proxy.conns]

    def mechs(self):
        """AUTH mechanisms announced (after TLS where there is TLS)."""
        if not hasattr(self, "_mechs"):
            cx = ssl.create_default_context(cafile=self.ctx.cert["ca"]) if self.tls != "none" else None
            if self.tls == "implicit":
                c = smtplib.SMTP_SSL(self.host, self.real_port, timeout=10, context=cx)
            else:
                c = smtplib.SMTP(self.host, self.real_port, timeout=10)
                if self.tls == "starttls":
                    c.starttls(context=cx)
            c.ehlo("probe.example")
            self._mechs = c.esmtp_features.get("auth", "").upper().split()
            c.quit()
        return self._mechs

    def need(self, mech):
        if mech and mech.upper() not in self.mechs():
            if mech.upper() in OPTIONAL:
                raise Skip("the server does not offer " + mech)
            raise Fail("the server does not offer AUTH " + mech)


class Ctx:
    def __init__(self, work):
        self.work, self.servers, self.n = work, {}, 0
        self.shared = {}

    @functools.cached_property
    def cert(self):
        return make_cert(self.work)

    def begin(self):
        self.scase = {}
        for s in self.servers.values():
            s.mark = len(s.records)
            s.proxy.reset()

    def server(self, conf):
        if conf not in self.servers:
            self.servers[conf] = Server(self, conf)
        s = self.servers[conf]
        if s.p.poll() is not None:
            del self.servers[conf]
            raise Fail("the server (%s) had ended with %s" % (conf, s.p.returncode))
        return s

    def tmp(self, data=None, suffix=""):
        self.n += 1
        p = os.path.join(self.work, "f%05d%s" % (self.n, suffix))
        if data is not None:
            open(p, "wb").write(data)
        return p

    def dir(self, name):
        p = os.path.join(self.work, name)
        os.makedirs(p, exist_ok=True)
        return p

    def once(self, key, make):
        """A daemon that several cases share; a failed start is not tried again."""
        if key not in self.shared:
            try:
                self.shared[key] = make(self)
            except (Fail, Skip) as e:
                self.shared[key] = e
        if isinstance(self.shared[key], Exception):
            raise self.shared[key]
        return self.shared[key]

    def collect(self):
        f = set()
        for s in self.servers.values():
            for w in s.wires():
                f |= used(w.features)
            for r in s.records[s.mark:]:
                f.add("with " + str(r.get("protocol")))
                for p in r.get("mail_parameters", []):
                    f.add(p.upper() if p.upper().startswith("BODY=") else p.split("=")[0].upper())
                for ps in r.get("rcpt_parameters", []):
                    f |= {p.split("=")[0].upper() for p in ps}
        return f


# ------------------------------------------------------------------------------------------------- the check
TRACE = {"received", "return-path", "delivered-to", "x-original-to"}


def low_domain(a):
    l, _, d = a.rpartition("@")
    return l + "@" + d.lower()


def check(ctx, srv, frm, tos, raw=None, n=1, relay=False, auth=None, mail_params=(), rcpt_params=(), split=False, utf8=False,
          contains=None, bdat=None, timeout=30, drop=(), fold=False, anyorder=False):
    """JSON lines and stored files of n messages.  raw: the message sent, else the one seen on the wire is expected."""
    recs = srv.take(n, timeout)
    wires = srv.wires()
    payloads = [p for w in wires for p in w.payloads]
    feats = set().union(*[w.features for w in wires]) if wires else set()
    seen_to = []
    for r in recs:
        for k in ("from", "to", "helo", "protocol", "tls", "auth", "size", "path", "mail_parameters", "rcpt_parameters"):
            expect(k in r, "JSON line without %r" % k)
        expect(r["from"] == frm, "JSON from %r, expected %r" % (r["from"], frm))
        if not split and not anyorder:
            got_to = [low_domain(t) for t in r["to"]] if fold else r["to"]
            tos = [low_domain(t) for t in tos] if fold else tos
            expect(got_to == list(tos), "JSON to %r, expected %r" % (r["to"][:3], list(tos)[:3]))
        seen_to += got_to if fold else r["to"]
        expect(r["tls"] is (srv.tls != "none"), "JSON tls %r" % r["tls"])
        expect(r["auth"] == auth, "JSON auth %r, expected %r" % (r["auth"], auth))
        m = PROTO.match(r["protocol"])
        expect(m, "JSON protocol %r" % r["protocol"])
        want = ("LMTP" if srv.lmtp else None)
        if m[2] != "SMTP":
            expect(bool(m[3]) == (srv.tls != "none") and bool(m[4]) == bool(auth), "JSON protocol %r with tls %s, auth %s" % (r["protocol"], srv.tls, auth))
        expect((m[2] == "LMTP") == srv.lmtp, "JSON protocol %r" % r["protocol"])
        expect(bool(m[1]) == ("SMTPUTF8" in [p.upper() for p in r["mail_parameters"]]), "JSON protocol %r with parameters %r (RFC 6531 section 4.3)" % (r["protocol"], r["mail_parameters"]))
        if utf8:
            expect(m[1], "protocol %r without SMTPUTF8" % r["protocol"])
        for p in mail_params:
            expect(any(fnmatch.fnmatchcase(q.upper(), p.upper()) for q in r["mail_parameters"]), "MAIL parameter %s not in %r" % (p, r["mail_parameters"]))
        expect(len(r["rcpt_parameters"]) == len(r["to"]), "rcpt_parameters is not one list a recipient: %r" % r["rcpt_parameters"])
        for p in rcpt_params:
            for ps in r["rcpt_parameters"]:
                expect(any(fnmatch.fnmatchcase(q.upper(), p.upper()) for q in ps), "RCPT parameter %s not in %r" % (p, ps))
        path = r["path"]
        expect(os.path.dirname(os.path.realpath(path)) == os.path.realpath(os.path.join(srv.maildir, "new")), "path %r is not in new/" % path)
        data = open(path, "rb").read()
        os.unlink(path)
        first = ("Return-Path: <%s>\r\n" % frm).encode()
        expect(data.startswith(first), "file starts %r, expected %r" % (data[:60], first))
        rest = data[len(first):]
        expect(rest.startswith(b"Received: "), "no Received field after Return-Path: %r" % rest[:60])
        stored = field_end(rest)
        received = rest[:len(rest) - len(stored)]
        expect(max(map(len, received.split(b"\r\n"))) <= 998, "Received line over 998 octets")
        flat = b" ".join(received.split()).decode("utf-8", "replace")
        expect(re.search(r"\bwith " + r["protocol"] + r"\b", flat), "Received says no 'with %s': %s" % (r["protocol"], flat))
        expect(re.search(r"^Received: from \S+.* by mx\.test\.example\b.*; ?\w{3}, ?\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", flat), "Received: %s" % flat)
        if re.fullmatch(r"[A-Za-z0-9.-]+|\[[^\]]*\]", r["helo"]):       # any other name stands in a comment
            expect(flat.startswith("Received: from %s " % r["helo"]), "Received without the HELO name %r: %s" % (r["helo"], flat))
        expect(r["size"] == len(stored), "JSON size %r, stored %d" % (r["size"], len(stored)))
        expect(payloads or raw is not None or contains is not None, "the recording proxy saw no message")
        if payloads:
            expect(stored in payloads, "stored message is not the one on the wire: " + first_diff(stored, payloads[0]))
        if raw is not None:
            got = strip_fields(stored, TRACE | set(drop)) if relay else stored
            ok = got == raw or got == crlf_end(raw)
            expect(ok, "message differs: " + first_diff(got, crlf_end(raw)))
            if relay:
                expect(stored.lower().startswith(b"received:"), "relay added no Received?")
        if contains is not None:
            expect(contains in stored, "%r not in the stored message" % contains)
    expect(sorted(seen_to) == sorted(list(tos) * (1 if split else n)), "recipients %r, expected %r" % (sorted(seen_to)[:4], sorted(tos)[:4]))
    left = os.listdir(os.path.join(srv.maildir, "tmp"))
    expect(not left, "left in tmp/: %r" % left[:3])
    if bdat is not None and "offer:CHUNKING" in feats:
        expect(("BDAT" in feats) == bdat, "client used %s" % ("DATA" if bdat else "BDAT"))
    return recs


def none_stored(srv):
    time.sleep(0.2)
    expect(len(srv.records) == srv.mark, "%d messages were stored" % (len(srv.records) - srv.mark))


def simple(sender, conf, msg="ascii", env=None, mech=None, more=b"", **kw):
    """A case: one message, one transaction, through sender(ctx, srv, from, tos, raw, mech)."""
    def f(ctx):
        srv = ctx.server(conf)
        srv.need(mech)
        frm, tos = ENVELOPES[env] if env else (FROM, TO)
        raw = MESSAGES[msg]
        sender(ctx, srv, frm, tos, raw, mech)
        check(ctx, srv, frm, tos, raw + more, auth=USER if mech else None, utf8=(env == "utf8addr"), **kw)
    return f


def matrix(prog, sender, conf="plain", bodies=BODIES, envs=ENVELOPES, tag=None, **kw):
    for b in bodies:
        S.case("%s.%s.%s" % (prog, tag or conf, b), simple(sender, conf, b, **kw))
    for e in envs:
        S.case("%s.%s.%s" % (prog, tag or conf, e), simple(sender, conf, "ascii", e, **kw))


NOUTF8 = [e for e in ENVELOPES if e != "utf8addr"]
SHORT = ["ascii", "dots", "utf8body", "attachment5m"]

def cut(raw):
    """For clients that add a line end of their own, whatever the message ends with."""
    return raw[:-2] if raw.endswith(b"\r\n") else raw


# ------------------------------------------------------------------------------------------------- swaks
# (swaks takes a lone dot on the last line for the end mark, so "innerdot" stands for "lonedot"; it puts a line into an empty body)
def swaks(ctx, srv, frm, tos, raw, mech=None, extra=(), check=True):
    a = [have("swaks"), "--server", srv.host, "--port", str(srv.port), "--helo", "swaks.client.example", "--from", frm or "<>",
         "--to", ",".join(tos), "--data", "@" + ctx.tmp(cut(raw)), "--suppress-data", "--timeout", "30"]
    a += {"starttls": ["--tls"], "implicit": ["--tlsc"], "none": []}[srv.tls]
    if srv.tls != "none":
        a += ["--tls-verify", "--tls-ca-path", ctx.cert["ca"]]
    if srv.lmtp:
        a += ["--protocol", "LMTP"]
    if mech:
        a += ["--auth", mech, "--auth-user", USER, "--auth-password", PASSWORD]
    return run(a + list(extra), check=check)


matrix("swaks", swaks, bodies=[b for b in BODIES if b not in ("lonedot", "emptybody")], envs=NOUTF8)


def swaks_as_sent(msg, extra=()):
    """Where swaks adds a line end to what it was given, the octets on the wire are what counts."""
    def f(ctx):
        srv = ctx.server("plain")
        swaks(ctx, srv, FROM, TO, MESSAGES[msg], extra=extra)
        check(ctx, srv, FROM, TO)
    return f


S.case("swaks.plain.innerdot", simple(swaks, "plain", "innerdot"))
S.case("swaks.plain.emptybody", swaks_as_sent("emptybody"))
S.case("swaks.plain.empty", swaks_as_sent("emptybody", ["--data", "\\n"]))      # it takes no empty file
matrix("swaks", swaks, "starttls", SHORT, [])
matrix("swaks", swaks, "implicit", SHORT, [])
matrix("swaks", swaks, "lmtp", SHORT, ["manyrcpt", "nullsender"])
matrix("swaks", swaks, "noext", ["ascii", "dots", "longlines"], ["manyrcpt"])
matrix("swaks", lambda *a: swaks(*a, extra=["--pipeline"]), "plain", ["ascii", "dots"], ["manyrcpt"], tag="pipelining")
S.case("swaks.ipv6", simple(swaks, "plain6"))
for _m in ("PLAIN", "LOGIN", "CRAM-MD5"):
    S.case("swaks.auth.%s.starttls" % _m, simple(swaks, "auth", mech=_m))
    S.case("swaks.auth.%s.clear" % _m, simple(swaks, "authplain", mech=_m))
    S.case("swaks.auth.%s.implicit" % _m, simple(swaks, "authtls", mech=_m))
S.case("swaks.auth.submission", simple(swaks, "submission", mech="PLAIN"))


def swaks_bad(conf, extra, rc, text, msg="ascii", tos=TO, mech=None):
    def f(ctx):
        srv = ctx.server(conf)
        r = swaks(ctx, srv, FROM, tos, MESSAGES[msg], mech, extra, check=False)
        expect(r.rc == rc, "swaks exited %d, expected %d" % (r.rc, rc))
        expect(re.search(text, r.out), "no %r in the transcript: %s" % (text, r.out[-300:]))
        none_stored(srv)
    return f


S.case("swaks.reject.recipient", swaks_bad("limited", [], 24, r"550 5\.1\.1", tos=["nobody@dest.example"]))
S.case("swaks.reject.size", swaks_bad("limited", [], 26, r"552 5\.3\.4", msg="attachment5m"))
S.case("swaks.reject.noauth", swaks_bad("auth", [], 23, r"530 5\.7\.0"))
S.case("swaks.reject.password", swaks_bad("auth", ["--auth-password", "wrong"], 28, r"535 5\.7\.8", mech="PLAIN"))
S.case("swaks.starttls-announced", swaks_bad("auth", ["--quit-after", "EHLO"], 0, r"250[- ]STARTTLS"))
S.case("swaks.reject.smtputf8", swaks_bad("plain", ["--from", "älice@sender.example"], 23, r"(?m)^<\S* +5\d\d 5\."))

# ------------------------------------------------------------------------------------------------- msmtp
def msmtp(ctx, srv, frm, tos, raw, mech=None, extra=()):
    a = [have("msmtp"), "-C", ctx.tmp(b"defaults\n"), "--host=" + srv.host, "--port=%d" % srv.port,
         "--from=" + frm, "--domain=msmtp.client.example", "--set-date-header=off", "--set-from-header=off", "--remove-bcc-headers=off", "--timeout=30"]
    a += {"starttls": ["--tls=on", "--tls-starttls=on"], "implicit": ["--tls=on", "--tls-starttls=off"], "none": ["--tls=off"]}[srv.tls]
    if srv.tls != "none":
        a += ["--tls-trust-file=" + ctx.cert["ca"]]
    if srv.lmtp:
        a += ["--protocol=lmtp"]
    a += ["--auth=" + mech.lower(), "--user=" + USER, "--passwordeval=echo " + PASSWORD] if mech else ["--auth=off"]
    return run(a + list(extra) + ["--"] + list(tos), input=raw.replace(b"\r\n", b"\n"))


MSMTP_AUTH = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"]
# msmtp's own parser of recipients breaks on quoted local parts and on ':' in a literal
matrix("msmtp", msmtp, envs=["manyrcpt", "nullsender"])
matrix("msmtp", msmtp, "starttls", SHORT, [])
matrix("msmtp", msmtp, "implicit", SHORT, [])
matrix("msmtp", msmtp, "lmtp", SHORT, ["manyrcpt"])
matrix("msmtp", msmtp, "noext", ["ascii", "dots"], [])
for _m in MSMTP_AUTH:
    S.case("msmtp.auth.%s.starttls" % _m, simple(msmtp, "auth", mech=_m))
    S.case("msmtp.auth.%s.clear" % _m, simple(msmtp, "authplain", mech=_m))
S.case("msmtp.dsn", simple(lambda *a: msmtp(*a, extra=["--dsn-notify=success,failure", "--dsn-return=headers"]), "plain",
                           mail_params=["RET=HDRS"], rcpt_params=["NOTIFY=SUCCESS,FAILURE"]))

# ------------------------------------------------------------------------------------------------- gsasl (AUTH alone)
def gsasl(mech, conf):
    def f(ctx):
        prog = have("gsasl")
        srv = ctx.server(conf)
        srv.need(mech)
        a = [prog, "--smtp", "--connect=%s:%d" % (srv.host, srv.port), "-m", mech, "-a", USER, "-p", PASSWORD, "--quiet",
             "--hostname=mx.test.example", "--service=smtp", "-z", ""] + ([] if mech.endswith("-PLUS") else ["--no-cb"])
        a += ["--starttls", "--x509-ca-file=" + ctx.cert["ca"]] if srv.tls == "starttls" else ["--no-starttls"]
        r = run(a, timeout=20, check=False)
        expect(r.rc == 0 and "235" in r.out + r.err or "Client authentication finished" in r.out + r.err,
               "gsasl exited %d: %s" % (r.rc, (r.out + r.err).strip()[-200:]))
    return f


for _m in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "DIGEST-MD5"):
    S.case("gsasl.%s.clear" % _m, gsasl(_m, "authplain"))
for _m in ("SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"):
    S.case("gsasl.%s.starttls" % _m, gsasl(_m, "auth"))

# ------------------------------------------------------------------------------------------------- curl
def curl(ctx, srv, frm, tos, raw, mech=None, extra=(), check=True):
    a = [have("curl"), "-sS", "--url", "%s://%s:%d/curl.client.example" % ("smtps" if srv.tls == "implicit" else "smtp", "[::1]" if ":" in srv.host else srv.host, srv.port),
         "--mail-from", frm, "--upload-file", ctx.tmp(raw), "--max-time", "50"]
    for t in tos:
        a += ["--mail-rcpt", t]
    if srv.tls != "none":
        a += ["--ssl-reqd", "--cacert", ctx.cert["ca"]]
    if mech in ("XOAUTH2", "OAUTHBEARER"):
        a += ["--user", USER + ":", "--oauth2-bearer", PASSWORD, "--login-options", "AUTH=" + mech]
    elif mech:
        a += ["--user", USER + ":" + PASSWORD, "--login-options", "AUTH=" + mech]
    return run(a + list(extra), check=check)


matrix("curl", curl)
S.case("curl.plain.empty", simple(curl, "plain", "empty"))
matrix("curl", curl, "starttls", SHORT, ["utf8addr"])
matrix("curl", curl, "implicit", SHORT, [])
matrix("curl", curl, "noext", ["ascii", "dots", "lonedot", "longlines"], ["manyrcpt"])
S.case("curl.ipv6", simple(curl, "plain6"))
for _m in ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"):
    S.case("curl.auth.%s.starttls" % _m, simple(curl, "auth", mech=_m))
    S.case("curl.auth.%s.implicit" % _m, simple(curl, "authtls", mech=_m))
S.case("curl.auth.PLAIN.initial-response", simple(lambda *a: curl(*a, extra=["--sasl-ir"]), "authtls", mech="PLAIN"))
S.case("curl.auth.mailauth", simple(lambda *a: curl(*a, extra=["--mail-auth", "alice@sender.example"]), "auth", mech="PLAIN", mail_params=["AUTH=*alice@sender.example*"]))


def curl_partial(ctx):
    srv = ctx.server("limited")
    tos = ["bob@dest.example", "nobody@dest.example", "carol@dest.example"]
    curl(ctx, srv, FROM, tos, MESSAGES["ascii"], extra=["--mail-rcpt-allowfails"])
    check(ctx, srv, FROM, [tos[0], tos[2]], MESSAGES["ascii"])


S.case("curl.reject.partial", curl_partial)


def curl_bad(conf, code, msg="ascii", tos=TO, mech=None, extra=()):
    def f(ctx):
        srv = ctx.server(conf)
        r = curl(ctx, srv, FROM, tos, MESSAGES[msg], mech, extra, check=False)
        expect(r.rc != 0 and code in r.err, "curl exited %d without %s: %s" % (r.rc, code, r.err[-200:]))
        none_stored(srv)
    return f


S.case("curl.reject.recipient", curl_bad("limited", "550", tos=["nobody@dest.example"]))
S.case("curl.reject.toomany", curl_bad("limited", "452", tos=["u%d@dest.example" % i for i in range(7)]))
S.case("curl.reject.size", curl_bad("limited", "552", msg="attachment5m"))
S.case("curl.reject.password", curl_bad("auth", "enied", mech="PLAIN", extra=["--user", "alice:wrong"]))

# ------------------------------------------------------------------------------------------------- smtplib
def lib_connect(ctx, srv):
    cx = ssl.create_default_context(cafile=ctx.cert["ca"]) if srv.tls != "none" else None
    if srv.lmtp:
        return smtplib.LMTP(srv.host, srv.port, local_hostname="smtplib.client.example")
    if srv.tls == "implicit":
        return smtplib.SMTP_SSL(srv.host, srv.port, local_hostname="smtplib.client.example", timeout=30, context=cx)
    c = smtplib.SMTP(srv.host, srv.port, local_hostname="smtplib.client.example", timeout=30)
    c.ehlo_or_helo_if_needed()
    if srv.tls == "starttls":
        c.starttls(context=cx)
    return c


def lib(ctx, srv, frm, tos, raw, mech=None, mail_options=None, rcpt_options=()):
    with lib_connect(ctx, srv) as c:
        if mech:
            c.ehlo_or_helo_if_needed()
            c.user, c.password = USER, PASSWORD
            c.auth(mech, getattr(c, "auth_" + mech.lower().replace("-", "_")))
        if mail_options is None:
            c.ehlo_or_helo_if_needed()
            mail_options = (["SMTPUTF8"] if not (frm + "".join(tos)).isascii() else []) + (["BODY=8BITMIME"] if not raw.isascii() and c.has_extn("8bitmime") else [])
        refused = c.sendmail(frm, tos, raw, mail_options, rcpt_options)
        expect(not refused, "refused: %r" % refused)


matrix("smtplib", lib)
S.case("smtplib.plain.empty", simple(lib, "plain", "empty"))
matrix("smtplib", lib, "starttls", SHORT, ["utf8addr"])
matrix("smtplib", lib, "implicit", SHORT, ["utf8addr"])
matrix("smtplib", lib, "noext", ["ascii", "dots", "lonedot", "longlines"], ["manyrcpt"])
matrix("smtplib", lib, "lmtp", SHORT, ["utf8addr"])     # smtplib.LMTP reads one reply for all recipients
for _m in ("PLAIN", "LOGIN", "CRAM-MD5"):
    S.case("smtplib.auth.%s.starttls" % _m, simple(lib, "auth", mech=_m))
    S.case("smtplib.auth.%s.clear" % _m, simple(lib, "authplain", mech=_m))
S.case("smtplib.8bitmime", simple(lambda *a: lib(*a, mail_options=["BODY=8BITMIME"]), "plain", "utf8body", mail_params=["BODY=8BITMIME"]))
S.case("smtplib.dsn", simple(lambda *a: lib(*a, mail_options=["RET=FULL", "ENVID=QQ314159"], rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;bob@dest.example"]), "plain",
                             mail_params=["RET=FULL", "ENVID=QQ314159"], rcpt_params=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;bob@dest.example"]))


def lib_send_message(ctx):
    from email.message import EmailMessage
    srv = ctx.server("plain")
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "Älice <älice@sender.example>", "bøb@dest.example", "Grüße"
    m.set_content("Körper\n.dot\n", cte="8bit")
    with lib_connect(ctx, srv) as c:
        c.send_message(m)
    check(ctx, srv, "älice@sender.example", ["bøb@dest.example"], contains="Subject: Grüße\r\n".encode(), utf8=True, mail_params=["SMTPUTF8", "BODY=8BITMIME"])


S.case("smtplib.send_message.smtputf8", lib_send_message)


def lib_session(ctx):
    """One connection: RSET, refused things, NOOP, VRFY, many messages."""
    srv = ctx.server("limited")
    with lib_connect(ctx, srv) as c:
        expect(c.docmd("RSET")[0] == 250 and c.docmd("NOOP")[0] == 250, "RSET or NOOP")
        expect(c.docmd("VRFY", "bob")[0] in (250, 252, 502, 550, 551, 553, 252), "VRFY")
        expect(c.docmd("DATA")[0] == 503, "DATA before MAIL is not 503")
        expect(c.docmd("XYZZY")[0] in (500, 502), "unknown command")
        for i in range(20):
            ref = c.sendmail(FROM, TO + ["nobody@dest.example"], MESSAGES["dots"])
            expect(ref["nobody@dest.example"][0] == 550, "refused %r" % ref)
        try:
            c.sendmail(FROM, ["nobody@dest.example"], MESSAGES["dots"])
            raise Fail("nobody was accepted")
        except smtplib.SMTPRecipientsRefused:
            pass
        try:
            c.sendmail(FROM, TO, MESSAGES["attachment5m"])         # smtplib declares the true size
            raise Fail("5 MB accepted over --max-size 20000")
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as e:
            expect(e.smtp_code == 552, "too big answered %d" % e.smtp_code)
        # a false declaration does not help (RFC 1870 section 6.3); by hand, for smtplib adds a true one to every other
        expect(c.docmd("MAIL", "FROM:<%s> SIZE=10" % FROM)[0] == 250, "MAIL with a small SIZE")
        expect(c.rcpt(TO[0])[0] == 250, "RCPT")
        code = c.data(MESSAGES["attachment5m"])[0]
        expect(code == 552, "too big in spite of its declaration answered %d" % code)
        try:                                                       # SIZE twice: 501, or the first one counts
            c.sendmail(FROM, TO, MESSAGES["attachment5m"], mail_options=["SIZE=10"])
            raise Fail("5 MB accepted over --max-size 20000")
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as e:
            expect(e.smtp_code in (501, 552), "SIZE twice, and too big, answered %d" % e.smtp_code)
        c.sendmail(FROM, TO, MESSAGES["dots"])
    check(ctx, srv, FROM, TO, MESSAGES["dots"], n=21)


S.case("smtplib.session", lib_session)


def lib_wrong_password(ctx):
    srv = ctx.server("auth")
    with lib_connect(ctx, srv) as c:
        for mech in ("PLAIN", "LOGIN", "CRAM-MD5"):
            c.ehlo_or_helo_if_needed()
            c.user, c.password = USER, "wrong"
            try:
                c.auth(mech, getattr(c, "auth_" + mech.lower().replace("-", "_")))
                raise Fail(mech + " took a wrong password")
            except smtplib.SMTPAuthenticationError as e:
                expect(e.smtp_code == 535, "%s answered %d" % (mech, e.smtp_code))
        c.user, c.password = USER, PASSWORD
        c.auth("PLAIN", c.auth_plain)
        c.sendmail(FROM, TO, MESSAGES["ascii"])
    check(ctx, srv, FROM, TO, MESSAGES["ascii"], auth=USER)


S.case("smtplib.auth.wrong-then-right", lib_wrong_password)

# ------------------------------------------------------------------------------------------------- aiosmtplib
def aio(ctx, srv, frm, tos, raw, mech=None, count=1):
    try:
        import aiosmtplib
    except ImportError:
        raise Missing("no aiosmtplib")
    cx = ssl.create_default_context(cafile=ctx.cert["ca"]) if srv.tls != "none" else None

    async def go():
        kw = dict(hostname=srv.host, port=srv.port, local_hostname="aiosmtplib.client.example", timeout=30, use_tls=srv.tls == "implicit",
                  start_tls=srv.tls == "starttls", tls_context=cx)

        async def one():
            async with aiosmtplib.SMTP(**kw) as c:
                if mech:
                    await getattr(c, "auth_" + mech.lower().replace("-", ""))(USER, PASSWORD)
                opts = (["SMTPUTF8"] if not (frm + "".join(tos)).isascii() else []) + (["BODY=8BITMIME"] if not raw.isascii() else [])
                await c.sendmail(frm, tos, raw, mail_options=opts)
        await asyncio.gather(*[one() for _ in range(count)])
    asyncio.run(go())


matrix("aiosmtplib", aio)
matrix("aiosmtplib", aio, "starttls", SHORT, [])
matrix("aiosmtplib", aio, "implicit", SHORT, [])
for _m in ("PLAIN", "LOGIN", "CRAM-MD5"):
    S.case("aiosmtplib.auth.%s" % _m, simple(aio, "auth", mech=_m))


def many(sender, n, conf="plain", msg="dots", **kw):
    def f(ctx):
        srv = ctx.server(conf)
        sender(ctx, srv, FROM, TO, MESSAGES[msg], None, **{**kw, "count": n})
        check(ctx, srv, FROM, TO, MESSAGES[msg], n=n)
    return f


S.case("aiosmtplib.parallel50", many(aio, 50))

# ------------------------------------------------------------------------------------------------- nodemailer
def nodemailer(ctx, srv, frm, tos, raw, mech=None, count=1, pool=False, dsn=None):
    prefixed("node/node_modules/nodemailer")
    opt = dict(modules=os.path.join(PREFIX, "node/node_modules"), host=srv.host, port=srv.port, secure=srv.tls == "implicit", requireTLS=srv.tls == "starttls",
               lmtp=srv.lmtp, ca=ctx.cert["ca"] if srv.tls != "none" else None, file=ctx.tmp(raw), count=count, pool=pool, dsn=dsn, to=tos)
    opt["from"] = frm
    if mech == "XOAUTH2":
        opt["auth"] = dict(type="OAuth2", user=USER, accessToken=PASSWORD)
    elif mech:
        opt["auth"], opt["authMethod"] = {"user": USER, "pass": PASSWORD}, mech
    return run([have("node"), os.path.join(HERE, "node/client.js"), json.dumps({k: v for k, v in opt.items() if v is not None})])


matrix("nodemailer", nodemailer, fold=True)      # it lower-cases the domain
matrix("nodemailer", nodemailer, "starttls", SHORT, ["utf8addr"])
matrix("nodemailer", nodemailer, "implicit", SHORT, [])
matrix("nodemailer", nodemailer, "lmtp", ["ascii", "dots"], [])
for _m in ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"):
    S.case("nodemailer.auth.%s" % _m, simple(nodemailer, "auth", mech=_m))
S.case("nodemailer.pool", many(nodemailer, 30, pool=True))
S.case("nodemailer.dsn", simple(lambda *a: nodemailer(*a, dsn=dict(id="some+id", **{"return": "headers"}, notify=["success", "failure"], recipient="carol@dest.example")), "plain",
                                mail_params=["RET=HDRS", "ENVID=*"], rcpt_params=["NOTIFY=SUCCESS,FAILURE", "ORCPT=*"]))

# ------------------------------------------------------------------------------------------------- lettre, mail-send
def lettre(ctx, srv, frm, tos, raw, mech=None, count=1):
    # lettre's own parser of addresses decides what it can send
    run([prefixed("rust-target/debug/lettre-send"), srv.host, str(srv.port), srv.tls, ctx.cert["ca"], str(count), mech or "-", USER, PASSWORD, frm, ",".join(tos), ctx.tmp(cut(raw))])


def mailsend(ctx, srv, frm, tos, raw, mech=None, count=1, extra=()):
    run([prefixed("rust-target/debug/mailsend-send"), srv.host, str(srv.port), "lmtp" if srv.lmtp else srv.tls, str(count), USER if mech else "-", PASSWORD, frm, ",".join(tos), ctx.tmp(raw if "bdat" in extra else cut(raw)), *extra])


LETTRE_BODIES = [b for b in BODIES]
matrix("lettre", lettre, envs=["manyrcpt", "nullsender", "utf8addr"])
matrix("lettre", lettre, "starttls", SHORT, [])
matrix("lettre", lettre, "implicit", SHORT, [])
for _m in ("PLAIN", "LOGIN", "XOAUTH2"):
    S.case("lettre.auth.%s" % _m, simple(lettre, "auth", mech=_m))
S.case("lettre.pool", many(lettre, 20))
matrix("mail-send", mailsend, envs=NOUTF8)
matrix("mail-send", mailsend, "starttls", SHORT, [])
matrix("mail-send", mailsend, "implicit", SHORT, [])
matrix("mail-send", lambda *a: mailsend(*a, extra=["bdat"]), "plain", BODIES, ["manyrcpt"], tag="bdat", bdat=True)
S.case("mail-send.auth", simple(mailsend, "auth", mech="PLAIN"))
S.case("mail-send.dsn", simple(lambda *a: mailsend(*a, extra=["dsn"]), "plain", mail_params=["RET=HDRS", "ENVID=abc+3D1"], rcpt_params=["NOTIFY=SUCCESS,FAILURE"]))
S.case("mail-send.repeat", many(mailsend, 20))

# ------------------------------------------------------------------------------------------------- smtp-source
def smtp_source(ctx, srv, frm, tos, raw, mech=None, extra=()):
    run([have("smtp-source"), "-M", "source.client.example", "-f", frm, "-t", tos[0], "-F", ctx.tmp(raw.replace(b"\r\n", b"\n"))] + (["-L"] if srv.lmtp else []) + list(extra) + ["%s:%d" % (srv.host, srv.port)], timeout=120)


# (smtp-source puts an empty line behind every message of -F)
matrix("smtp-source", smtp_source, bodies=[b for b in BODIES if b != "nonewline"], envs=[], more=b"\r\n")
matrix("smtp-source", smtp_source, "lmtp", ["ascii", "dots"], [], more=b"\r\n")


def source_many(conf, messages, sessions, length, rcpt, keep):
    def f(ctx):
        srv = ctx.server(conf)
        prog = have("smtp-source")
        a = [prog, "-M", "source.client.example", "-f", FROM, "-t", "bob@dest.example", "-m", str(messages), "-s", str(sessions), "-l", str(length), "-r", str(rcpt)]
        a += (["-d"] if keep else []) + (["-L"] if srv.lmtp else [])
        run(a + ["%s:%d" % (srv.host, srv.port)], timeout=120)
        tos = TO if rcpt == 1 else ["%dbob@dest.example" % i for i in range(rcpt, 0, -1)]
        recs = srv.take(messages, 60)
        tos = recs[0]["to"]
        expect(len(tos) == rcpt, "%d recipients" % len(tos))
        check(ctx, srv, FROM, tos, n=messages)
    return f


S.case("smtp-source.load.new-connections", source_many("plain", 200, 10, 1000, 1, False))
S.case("smtp-source.load.kept-connections", source_many("plain", 400, 20, 4000, 1, True))
S.case("smtp-source.load.100-sessions", source_many("plain", 300, 100, 1000, 1, True))
S.case("smtp-source.load.20-recipients", source_many("plain", 50, 5, 1000, 20, True))
S.case("smtp-source.load.big", source_many("plain", 20, 4, 1000000, 1, True))
S.case("smtp-source.load.lmtp", source_many("lmtp", 100, 5, 1000, 3, True))

# ------------------------------------------------------------------------------------------------- quick extras
def esmtp(ctx, srv, frm, tos, raw, mech=None):
    rc = "hostname = %s:%d\nstarttls = %s\nhelo = esmtp.client.example\n" % (srv.host, srv.port, "required" if srv.tls == "starttls" else "disabled")
    if mech:
        rc += "username = %s\npassword = %s\n" % (USER, PASSWORD)
    p = ctx.tmp(rc.encode())
    os.chmod(p, 0o600)
    run([have("esmtp"), "-C", p, "-f", frm] + list(tos), input=raw.replace(b"\r\n", b"\n"), env={"HOME": ctx.dir("home")})


for _b in ("ascii", "dots", "lonedot", "utf8body", "attachment5m", "longlines"):
    # libesmtp puts fields it misses (Message-Id, Date) or knows better into the header: the wire decides
    def _f(ctx, b=_b):
        srv = ctx.server("plain")
        esmtp(ctx, srv, FROM, TO, MESSAGES[b])
        check(ctx, srv, FROM, TO, contains=MESSAGES[b].split(b"\r\n\r\n", 1)[1])
    S.case("esmtp.plain." + _b, _f)


def mua(sender, conf, mech=None, body="Hello\n.dot line\n..\nlast\n", contains=None, **kw):
    def f(ctx):
        srv = ctx.server(conf)
        srv.need(mech)
        sender(ctx, srv, body.encode(), mech)
        check(ctx, srv, FROM, TO, contains=to_crlf((contains or body).encode()), auth=USER if mech else None, **kw)
    return f


def snail(ctx, srv, body, mech):
    url = "%s://%s%s:%d" % ("smtps" if srv.tls == "implicit" else "smtp", "%s:%s@" % (USER, PASSWORD) if mech else "", srv.host, srv.port)
    a = [have("s-nail"), "-:/", "-S", "v15-compat=yes", "-S", "mta=" + url, "-S", "smtp-auth=" + (mech.lower() if mech else "none"),
         "-S", "hostname=snail.client.example", "-S", "sendwait", "-S", "ttycharset=utf-8", "-S", "sendcharsets=utf-8", "-S", "mime-encoding=8bit", "-S", "from=" + FROM,
         "-S", "tls-ca-file=" + ctx.cert["ca"], "-S", "tls-verify=ignore"]      # it wants HOST:PORT in the certificate
    if srv.tls == "starttls":
        a += ["-S", "smtp-use-starttls", "-S", "smtp-config=starttls"]
    run(a + ["-s", "interop", "-r", FROM] + TO, input=body, env={"HOME": ctx.dir("home"), "LC_ALL": "C.UTF-8"})


def mutt(ctx, srv, body, mech):
    url = "%s://%s%s:%d/" % ("smtps" if srv.tls == "implicit" else "smtp", USER + "@" if mech else "", srv.host, srv.port)
    rc = ('set smtp_url="%s"\nset from="%s"\nset use_from=yes\nset use_envelope_from=yes\nset hostname="mutt.client.example"\nset copy=no\nset ssl_starttls=%s\n'
          'set ssl_verify_host=no\nset ssl_verify_dates=no\nset certificate_file="%s"\nset ssl_ca_certificates_file="%s"\nset allow_8bit=yes\nset use_8bitmime=yes\nset charset=utf-8\nset send_charset="us-ascii:utf-8"\n'
          'set dsn_notify="failure,delay"\nset dsn_return="hdrs"\n'
          % (url, FROM, "yes" if srv.tls == "starttls" else "no", ctx.cert["leaf"], ctx.cert["ca"]))
    rc += "set ssl_force_tls=%s\n" % ("yes" if srv.tls != "none" else "no")
    if mech:
        rc += 'set smtp_pass="%s"\nset smtp_authenticators="%s"\n' % (PASSWORD, mech.lower())
    run([have("mutt"), "-n", "-F", ctx.tmp(rc.encode()), "-s", "interop"] + TO, input=body, env={"HOME": ctx.dir("home"), "TERM": "dumb", "LC_ALL": "C.UTF-8"})


for _n, _s in (("s-nail", snail), ("mutt", mutt)):
    S.case(_n + ".plain", mua(_s, "plain"))
    S.case(_n + ".utf8", mua(_s, "plain", body="Grüße\n.ünktlich\n"))
    S.case(_n + ".starttls", mua(_s, "starttls"))
    S.case(_n + ".implicit", mua(_s, "implicit"))
    for _m in ("PLAIN", "LOGIN", "CRAM-MD5") + (("SCRAM-SHA-1", "SCRAM-SHA-256") if _n == "mutt" else ()):
        S.case("%s.auth.%s" % (_n, _m), mua(_s, "auth", mech=_m))


def in_ns(script, argv, **kw):
    """argv in a mount namespace of its own, after the shell lines of script."""
    return [have("unshare"), "-m", "--propagation", "private", "sh", "-c", "set -e\n" + script + '\nexec "$@"', "sh"] + argv


def dma(ctx, srv, frm, tos, raw, mech=None):
    prog = prefixed("dma/usr/sbin/dma")
    for d in ("/etc/dma", "/var/spool/dma"):
        if not os.path.isdir(d):
            raise Missing("no mount point %s (setup.sh makes it)" % d)
    conf, spool = ctx.dir("dma-conf"), ctx.dir("dma-spool")
    c = "SMARTHOST %s\nPORT %d\nMAILNAME dma.client.example\nAUTHPATH /etc/dma/auth.conf\n" % (srv.host, srv.port)
    if srv.tls != "none":
        c += "SECURETRANSFER\n" + ("STARTTLS\n" if srv.tls == "starttls" else "")
    if mech and srv.tls == "none":
        c += "INSECURE\n"
    open(conf + "/dma.conf", "w").write(c)
    open(conf + "/auth.conf", "w").write("%s|%s:%s\n" % (USER, srv.host, PASSWORD) if mech else "")
    for d in (conf, spool):
        shutil.chown(d, "root", "mail")
    os.chmod(spool, 0o2775)
    for f in os.listdir(conf):
        shutil.chown(conf + "/" + f, "root", "mail")
        os.chmod(conf + "/" + f, 0o640)
    run(in_ns("mount --bind %s /etc/dma; mount --bind %s /var/spool/dma" % (conf, spool), [prog, "-D", "-i", "-f", frm or "<>"] + list(tos)),
        input=raw.replace(b"\r\n", b"\n"), timeout=60)


for _b in ("ascii", "dots", "lonedot", "utf8body", "attachment5m", "blanklines"):
    S.case("dma.plain." + _b, simple(dma, "plain", _b, relay=True))
S.case("dma.starttls", simple(dma, "starttls", relay=True))
S.case("dma.implicit", simple(dma, "implicit", relay=True))
S.case("dma.auth", simple(dma, "auth", relay=True, mech="LOGIN"))


def nullmailer(ctx, srv, frm, tos, raw, mech=None):
    prog = prefixed("nullmailer/usr/lib/nullmailer/smtp")
    # the protocol program of nullmailer: options on descriptor 0 up to an empty line, the queued message on descriptor 3
    f = ctx.tmp((frm + "\n" + "".join(t + "\n" for t in tos) + "\n").encode() + raw.replace(b"\r\n", b"\n"))
    a = ["host=" + srv.host, "port=%d" % srv.port]
    if srv.tls == "starttls":
        a += ["starttls", "x509cafile=" + ctx.cert["ca"]]
    if srv.tls == "implicit":
        a += ["ssl", "x509cafile=" + ctx.cert["ca"]]
    if mech:
        a += ["user=" + USER, "pass=" + PASSWORD] + (["auth-login"] if mech == "LOGIN" else [])
    p = subprocess.run(["sh", "-c", 'exec "$0" 3<"$1"', prog, f], input=("\n".join(a) + "\n\n").encode(), capture_output=True, timeout=40,
                       env={**os.environ, "HELOHOST": "nullmailer.client.example"})
    expect(p.returncode == 0, "nullmailer smtp exited %d: %r" % (p.returncode, (p.stdout + p.stderr)[-200:]))


for _b in ("ascii", "dots", "lonedot", "utf8body", "attachment5m", "longlines", "blanklines"):
    S.case("nullmailer.plain." + _b, simple(nullmailer, "plain", _b))
S.case("nullmailer.plain.manyrcpt", simple(nullmailer, "plain", env="manyrcpt"))
S.case("nullmailer.starttls", simple(nullmailer, "starttls"))
S.case("nullmailer.implicit", simple(nullmailer, "implicit"))
for _m in ("PLAIN", "LOGIN"):
    S.case("nullmailer.auth." + _m, simple(nullmailer, "auth", mech=_m))


def opensmtpd_cli(ctx, srv, frm, tos, raw, mech=None):
    prog = prefixed("opensmtpd/usr/bin/smtp")
    scheme = {"none": "smtp+notls", "starttls": "smtp+tls", "implicit": "smtps"}[srv.tls]
    if srv.lmtp:
        scheme = "lmtp"
    url = "%s://%s%s:%d" % (scheme, "%s:%s@" % (USER, PASSWORD) if mech else "", srv.host, srv.port)
    run([prog, "-C", "-H", "smtp.client.example", "-F", frm, "-s", url] + list(tos), input=raw.replace(b"\r\n", b"\n"))


for _b in ("ascii", "dots", "lonedot", "utf8body", "attachment5m", "longlines", "blanklines"):
    S.case("opensmtpd-smtp.plain." + _b, simple(opensmtpd_cli, "plain", _b))
S.case("opensmtpd-smtp.starttls", simple(opensmtpd_cli, "starttls"))
S.case("opensmtpd-smtp.implicit", simple(opensmtpd_cli, "implicit"))
S.case("opensmtpd-smtp.auth", simple(opensmtpd_cli, "authtls", mech="PLAIN"))

# ------------------------------------------------------------------------------------------------- Postfix as a relay
def inject(host, port, frm, tos, raw, mail_options=None, rcpt_options=()):
    with smtplib.SMTP(host, port, local_hostname="injector.example", timeout=30) as c:
        c.ehlo()
        if mail_options is None:
            mail_options = (["SMTPUTF8"] if not (frm + "".join(tos)).isascii() else []) + (["BODY=8BITMIME"] if not raw.isascii() else [])
        refused = c.sendmail(frm, tos, raw, mail_options, rcpt_options)
        expect(not refused, "the relay refused %r" % refused)


POSTFIX_CONFS = ["plain", "starttls", "implicit", "auth", "noext", "nochunk", "lmtp"]


def postfix_relay(ctx):
    prog = have("postfix")
    d = ctx.dir("postfix-relay")
    conf, qd, dd = d + "/etc", d + "/queue", d + "/data"
    for x in (conf, qd, dd):
        os.makedirs(x)
    shutil.chown(dd, "postfix", "postfix")
    srvs = {c: ctx.server(c) for c in POSTFIX_CONFS}
    ports = {c: free_port() for c in POSTFIX_CONFS}
    ports["auth-PLAIN"], ports["auth-LOGIN"], ports["auth-CRAM-MD5"] = free_port(), free_port(), free_port()
    del ports["auth"]
    open(conf + "/main.cf", "w").write("""compatibility_level = 3.6
queue_directory = %(qd)s
data_directory = %(dd)s
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.test.example
mydestination =
local_transport = error:no local mail
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
default_transport = out-plain:[127.0.0.1]:%(plainport)d
maillog_file = %(d)s/maillog
maillog_file_prefixes = /
disable_dns_lookups = yes
smtp_host_lookup = native
local_header_rewrite_clients =
smtputf8_enable = yes
message_size_limit = 50000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
minimal_backoff_time = 5s
maximal_backoff_time = 10s
queue_run_delay = 5s
smtp_tls_CAfile = %(ca)s
smtp_tls_loglevel = 1
smtp_tls_session_cache_database =
smtp_sasl_security_options = noanonymous
smtp_sasl_tls_security_options = noanonymous
smtp_sasl_password_maps = texthash:%(conf)s/sasl
smtp_destination_concurrency_limit = 20
default_destination_recipient_limit = 50
smtp_connection_cache_on_demand = yes
address_verify_map =
smtp_generic_maps =
""" % dict(qd=qd, dd=dd, d=d, ca=ctx.cert["ca"], conf=conf, plainport=srvs["plain"].port))
    open(conf + "/sasl", "w").write("127.0.0.1 alice:secret\n[127.0.0.1]:%d alice:secret\n" % srvs["auth"].port)
    m = """pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""
    for c, p in ports.items():
        srv = srvs[c.split("-")[0]]
        opts = {"starttls": ["smtp_tls_security_level=secure", "smtp_tls_secure_cert_match=localhost"],
                "implicit": ["smtp_tls_security_level=secure", "smtp_tls_wrappermode=yes", "smtp_tls_secure_cert_match=localhost"]}.get(c, [])
        if c.startswith("auth-"):
            opts = ["smtp_tls_security_level=encrypt", "smtp_sasl_auth_enable=yes", "smtp_sasl_mechanism_filter=" + c[5:].lower()]
        m += "%s unix - - n - - %s\n" % ("out-" + c, "lmtp" if c == "lmtp" else "smtp") + "".join("  -o %s\n" % x for x in opts)
        m += "127.0.0.1:%d inet n - n - - smtpd\n  -o content_filter=out-%s:%s:%d\n  -o syslog_name=in-%s\n" % (p, c, "inet:127.0.0.1" if c == "lmtp" else "[127.0.0.1]", srv.port, c)
    open(conf + "/master.cf", "w").write(m)
    p = spawn([prog, "-c", conf, "start-fg"], stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT)
    at_cleanup(lambda: (subprocess.run([prog, "-c", conf, "abort"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=15), stop(p)))
    for x in ports.values():
        wait_port(x, banner=b"220", proc=p)
    return ports, d


def log_tail(path, n=2):
    try:
        lines = [l for l in open(path, errors="replace").read().splitlines() if "status=" in l or "warning" in l or "==" in l or "**" in l]
        return " | log: " + " / ".join(l[-220:] for l in lines[-n:])
    except OSError:
        return ""


def postfix(conf, msg="ascii", env=None, mail_options=None, rcpt_options=(), auth=False, raw_ok=True, **kw):
    def f(ctx):
        ports, d = ctx.once("postfix-relay", postfix_relay)
        srv = ctx.server(conf.split("-")[0])
        frm, tos = ENVELOPES[env] if env else (FROM, TO)
        if auth:
            srv.need(conf[5:])
        inject("127.0.0.1", ports[conf], frm, tos, MESSAGES[msg], mail_options, rcpt_options)
        n = 2 if len(tos) > 50 else 1
        try:
            check(ctx, srv, frm, tos, MESSAGES[msg] if raw_ok else None, n=n, split=n > 1, relay=True, auth=USER if auth else None, utf8=env == "utf8addr", timeout=12, **kw)
        except Fail as e:
            raise Fail(str(e) + log_tail(d + "/maillog"))
    return f


for _b in BODIES:
    S.case("postfix.plain." + _b, postfix("plain", _b))
for _e in ENVELOPES:
    S.case("postfix.plain." + _e, postfix("plain", env=_e))
S.case("postfix.plain.utf8header", postfix("plain", "utf8header", "utf8addr"))
for _b in SHORT:
    S.case("postfix.starttls." + _b, postfix("starttls", _b))
    S.case("postfix.implicit." + _b, postfix("implicit", _b))
    S.case("postfix.lmtp." + _b, postfix("lmtp", _b))
S.case("postfix.lmtp.manyrcpt", postfix("lmtp", env="manyrcpt"))
for _b in ("ascii", "dots", "lonedot", "longlines"):
    S.case("postfix.noext." + _b, postfix("noext", _b))
S.case("postfix.noext.8bit-to-7bit", postfix("noext", "utf8body", raw_ok=False, contains=b"Content-Transfer-Encoding: quoted-printable"))
S.case("postfix.nochunk.dots", postfix("nochunk", "dots"))
for _m in ("PLAIN", "LOGIN", "CRAM-MD5"):
    S.case("postfix.auth." + _m, postfix("auth-" + _m, auth=True))
S.case("postfix.dsn", postfix("plain", mail_options=["RET=HDRS", "ENVID=pf-1"], rcpt_options=["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;orig@dest.example"],
                              mail_params=["RET=HDRS", "ENVID=pf-1", "SIZE=*"], rcpt_params=["NOTIFY=*", "ORCPT=rfc822;orig@dest.example"]))
S.case("postfix.8bitmime", postfix("plain", "utf8body", mail_params=["BODY=8BITMIME"]))


def postfix_burst(ctx):
    ports, d = ctx.once("postfix-relay", postfix_relay)
    srv = ctx.server("plain")
    run([have("smtp-source"), "-m", "60", "-s", "6", "-d", "-f", FROM, "-t", TO[0], "127.0.0.1:%d" % ports["plain"]], timeout=60)
    check(ctx, srv, FROM, TO, n=60, timeout=60)


S.case("postfix.burst60", postfix_burst)

# ------------------------------------------------------------------------------------------------- Exim as a relay
def exim_conf(ctx, srv, mech=None):
    prog = prefixed("exim/usr/sbin/exim4")
    d = ctx.dir("exim-%s-%s" % (srv.conf, mech))
    path = d + "/exim.conf"
    if not os.path.exists(path):
        os.makedirs(d + "/spool")
        os.makedirs(d + "/log")
        for x in (d + "/spool", d + "/log"):
            shutil.chown(x, "Debian-exim", "Debian-exim")
        t = ["driver = smtp", "port = %d" % srv.port, "hosts_try_chunking = *", "hosts_try_prdr = *", "hosts_pipe_connect = *", "helo_data = exim.client.example", "max_rcpt = 100",
             "dnssec_request_domains = :"]
        if srv.lmtp:
            t.append("protocol = lmtp")
        if srv.tls == "implicit":
            t.append("protocol = smtps")
        if srv.tls != "none":
            t += ["hosts_require_tls = *", "tls_verify_certificates = " + ctx.cert["ca"], "tls_verify_hosts = *", "tls_verify_cert_hostnames = :"]
        else:
            t += ["hosts_avoid_tls = *"]
        if mech:
            t += ["hosts_require_auth = *"]
        auth = ""
        if mech == "PLAIN":
            auth = "plain:\n driver = plaintext\n public_name = PLAIN\n client_send = ^alice^secret\n"
        if mech == "LOGIN":
            auth = "login:\n driver = plaintext\n public_name = LOGIN\n client_send = : alice : secret\n"
        if mech == "CRAM-MD5":
            auth = "cram:\n driver = cram_md5\n public_name = CRAM-MD5\n client_name = alice\n client_secret = secret\n"
        open(path, "w").write("""primary_hostname = relay.test.example
spool_directory = %(d)s/spool
log_file_path = %(d)s/log/%%slog
exim_path = %(prog)s
keep_environment =
allow_domain_literals
allow_utf8_domains
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
acl_smtp_rcpt = all
acl_smtp_data = all
acl_smtp_mail = all
never_users =
host_lookup =
log_selector = +all
message_size_limit = 50M
smtp_enforce_sync = false
strip_excess_angle_brackets
begin acl
all:
  accept
begin routers
smart:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = out
begin transports
out:
  %(t)s
begin retry
* * F,1m,5s
begin authenticators
%(auth)s
""" % dict(d=d, prog=prog, t="\n  ".join(t), auth=auth))
    return prog, path, d


def exim_send(ctx, srv, frm, tos, raw, mech=None, mail_options="", rcpt_options=""):
    prog, conf, d = exim_conf(ctx, srv, mech)
    if not (frm + "".join(tos)).isascii():
        mail_options += " SMTPUTF8"
    if not raw.isascii():
        mail_options += " BODY=8BITMIME"
    a = [prog, "-C", conf, "-odf", "-bs"]
    p = subprocess.Popen(a, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def talk(line, want):
        if line is not None:
            p.stdin.write(line)
            p.stdin.flush()
        while True:
            r = p.stdout.readline()
            if not r:
                raise Fail("exim -bs ended: %r" % p.stderr.read()[-200:])
            if r[3:4] != b"-":
                expect(r.startswith(want), "exim -bs said %r" % r)
                return
    try:
        talk(None, b"220")
        talk(b"EHLO injector.example\r\n", b"250")
        talk(("MAIL FROM:<%s>%s\r\n" % (frm, mail_options)).encode(), b"250")
        for t in tos:
            talk(("RCPT TO:<%s>%s\r\n" % (t, rcpt_options)).encode(), b"250")
        talk(b"DATA\r\n", b"354")
        talk((b"\r\n" + crlf_end(raw)).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n", b"250")
        talk(b"QUIT\r\n", b"221")
        p.stdin.close()
        p.wait(30)
    finally:
        if p.poll() is None:
            stop(p, wait=1)
        p.stdout.close()
        p.stderr.close()
    return d


def exim(conf, msg="ascii", env=None, mech=None, mail_options="", rcpt_options="", raw_ok=True, **kw):
    def f(ctx):
        srv = ctx.server(conf)
        srv.need(mech)
        frm, tos = ENVELOPES[env] if env else (FROM, TO)
        d = exim_send(ctx, srv, frm, tos, MESSAGES[msg], mech, mail_options, rcpt_options)
        try:
            check(ctx, srv, frm, tos, MESSAGES[msg] if raw_ok else None, relay=True, auth=USER if mech else None, utf8=env == "utf8addr", timeout=20,
                  bdat=True if conf == "plain" else None, **kw)
        except Fail as e:
            raise Fail(str(e) + log_tail(d + "/log/mainlog"))
    return f


for _b in BODIES:
    S.case("exim.plain." + _b, exim("plain", _b))
for _e in ENVELOPES:
    S.case("exim.plain." + _e, exim("plain", env=_e))
for _b in SHORT:
    S.case("exim.starttls." + _b, exim("starttls", _b))
    S.case("exim.implicit." + _b, exim("implicit", _b))
    S.case("exim.lmtp." + _b, exim("lmtp", _b))
    S.case("exim.nochunk." + _b, exim("nochunk", _b))
for _b in ("ascii", "dots", "lonedot", "longlines"):
    S.case("exim.noext." + _b, exim("noext", _b))
for _m in ("PLAIN", "LOGIN", "CRAM-MD5"):
    S.case("exim.auth." + _m, exim("auth", mech=_m))
S.case("exim.dsn", exim("plain", mail_options=" RET=FULL ENVID=ex-1", rcpt_options=" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;orig@dest.example",
                        mail_params=["RET=FULL", "ENVID=ex-1"], rcpt_params=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;orig@dest.example"]))


def exim_pipeconnect(ctx):
    """The second connection may use what the first one learned (early pipelining)."""
    srv = ctx.server("plain")
    for _ in range(3):
        exim_send(ctx, srv, FROM, TO, MESSAGES["dots"])
    check(ctx, srv, FROM, TO, MESSAGES["dots"], n=3, relay=True)
    ws = srv.wires()
    if any("offer:PIPECONNECT" in w.features or "offer:X_PIPE_CONNECT" in w.features for w in ws):
        expect("PIPECONNECT" in ws[-1].features, "PIPECONNECT was announced, but the third connection still waited")


S.case("exim.pipeconnect", exim_pipeconnect)

# ------------------------------------------------------------------------------------------------- OpenSMTPD as a relay
OSD_CONFS = ["plain", "starttls", "implicit", "authtls", "noext", "lmtp"]


def opensmtpd_relay(ctx):
    prog = prefixed("opensmtpd/usr/sbin/smtpd")
    d = ctx.dir("opensmtpd-relay")
    spool, rundir = d + "/spool", d + "/run"
    os.makedirs(spool)
    os.chmod(spool, 0o711)
    os.makedirs(rundir)
    for x in ("/var/spool/smtpd", "/var/lib/opensmtpd/empty"):
        if not os.path.isdir(x):
            raise Missing("no %s (setup.sh makes it)" % x)
    ports = {c: free_port() for c in OSD_CONFS}
    conf = "table secrets { label = \"alice:secret\" }\nsmtp max-message-size 50M\n"
    for c in OSD_CONFS:
        conf += "listen on 127.0.0.1 port %d tag %s hostname relay.test.example\n" % (ports[c], c.upper())
    for c in OSD_CONFS:
        srv = ctx.server(c)
        scheme = {"none": "smtp+notls", "starttls": "smtp+tls", "implicit": "smtps"}[srv.tls]
        if srv.lmtp:
            scheme = "lmtp"
        conf += 'action "%s" relay host "%s://%s127.0.0.1:%d"%s helo opensmtpd.client.example\n' % (
            c, scheme, "label@" if c == "authtls" else "", srv.port, (" auth <secrets>" if c == "authtls" else "") + (" tls no-verify" if srv.tls != "none" else ""))
    for c in OSD_CONFS:
        conf += 'match tag %s from any for any action "%s"\n' % (c.upper(), c)
    f = ctx.tmp(conf.encode())
    os.chmod(f, 0o644)
    p = spawn(in_ns("mount --bind %s /var/spool/smtpd; mount --bind %s /run" % (spool, rundir), [prog, "-d", "-f", f]),
              stdout=open(d + "/out", "wb"), stderr=subprocess.STDOUT)
    at_cleanup(lambda: stop(p))
    try:
        for x in ports.values():
            wait_port(x, banner=b"220", proc=p)
    except Fail as e:
        raise Fail("%s; %s" % (e, open(d + "/out", errors="replace").read()[-300:]))
    return ports, d


def opensmtpd(conf, msg="ascii", env=None, auth=False, mail_options=None, rcpt_options=(), **kw):
    def f(ctx):
        ports, d = ctx.once("opensmtpd-relay", opensmtpd_relay)
        srv = ctx.server(conf)
        frm, tos = ENVELOPES[env] if env else (FROM, TO)
        inject("127.0.0.1", ports[conf], frm, tos, MESSAGES[msg], mail_options, rcpt_options)
        try:
            n = 1
            check(ctx, srv, frm, tos, MESSAGES[msg], relay=True, n=n, auth=USER if auth else None, timeout=12, **kw)
        except Fail as e:
            raise Fail(str(e) + " | " + open(d + "/out", errors="replace").read()[-300:].replace("\n", " / "))
    return f


for _b in BODIES:
    S.case("opensmtpd.plain." + _b, opensmtpd("plain", _b))
for _e in ("nullsender", "ipv6literal"):      # OpenSMTPD refuses quoted local parts and has no SMTPUTF8
    S.case("opensmtpd.plain." + _e, opensmtpd("plain", env=_e))
for _b in ("ascii", "dots", "attachment5m"):
    S.case("opensmtpd.starttls." + _b, opensmtpd("starttls", _b))
    S.case("opensmtpd.implicit." + _b, opensmtpd("implicit", _b))
S.case("opensmtpd.auth", opensmtpd("authtls", auth=True))
S.case("opensmtpd.noext", opensmtpd("noext", "dots"))
S.case("opensmtpd.dsn", opensmtpd("plain", mail_options=["RET=HDRS", "ENVID=os1"], rcpt_options=["NOTIFY=FAILURE"], mail_params=["RET=HDRS", "ENVID=os1"], rcpt_params=["NOTIFY=FAILURE"]))

# ------------------------------------------------------------------------------------------------- sendmail as a client
def sendmail(ctx, srv, frm, tos, raw, mech=None, extra=()):
    root = prefixed("sendmail/usr/libexec/sendmail")
    prog = next((os.path.join(dp, f) for dp, _, fs in os.walk(root) for f in fs if f == "sendmail"), None)
    if not prog:
        raise Missing("no sendmail binary")
    cfdir = prefixed("sendmail/usr/share/sendmail/cf")
    d = ctx.dir("sendmail-" + srv.conf)
    cf = d + "/sendmail.cf"
    if not os.path.exists(cf):
        os.makedirs(d + "/queue", exist_ok=True)
        mc = """divert(-1)
define(`_CF_DIR_', `%(cfdir)s/')
include(`%(cfdir)s/m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')dnl
undefine(`confDOMAIN_NAME')dnl
define(`confDOMAIN_NAME', `relay.test.example')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h %(port)d')dnl
define(`RELAY_MAILER_MAXMSGS', `100')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h %(port)d')dnl
define(`QUEUE_DIR', `%(d)s/queue')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`ALIAS_FILE', `')dnl
define(`confCW_FILE', `')dnl
define(`confPID_FILE', `%(d)s/pid')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,WorldWritableIncludeFile,GroupWritableIncludeFile')dnl
define(`confCACERT', `%(ca)s')dnl
define(`confEIGHT_BIT_HANDLING', `pass8')dnl
define(`confDEF_USER_ID', `8:8')dnl
define(`LOCAL_RELAY', `relay:[127.0.0.1]')dnl
define(`confTO_IDENT', `0')dnl
define(`confBIND_OPTS', `-DNSRCH -DEFNAMES')dnl
MAILER(`smtp')dnl
""" % dict(cfdir=cfdir, port=srv.port, d=d, ca=ctx.cert["ca"])
        r = subprocess.run([have("m4")], input=mc.encode(), capture_output=True, cwd=cfdir + "/cf")
        expect(r.returncode == 0, "m4: %r" % r.stderr[-200:])
        open(cf, "wb").write(r.stdout)
        os.chmod(cf, 0o644)
    # the 8BITMIME relay mailer of sendmail.cf has the '8' flag off: BODY is passed with -B8BITMIME
    hosts = ctx.tmp(("127.0.0.1 localhost\n127.0.1.1 %s.test.example %s\n" % ((os.uname().nodename.split(".")[0],) * 2)).encode())
    os.chmod(hosts, 0o644)        # without a qualified name of the machine sendmail sleeps a minute
    run(in_ns("mount --bind %s /etc/hosts" % hosts, []) + [prog, "-C", cf, "-Am", "-odi", "-oi", "-f", frm or "<>"] + (["-B8BITMIME"] if not raw.isascii() else []) + list(extra) + list(tos), input=raw.replace(b"\r\n", b"\n"), timeout=30)
    return d


for _b in ("ascii", "dots", "lonedot", "utf8body", "attachment5m", "emptybody", "longlines", "blanklines"):
    S.case("sendmail.plain." + _b, simple(sendmail, "plain", _b, relay=True, drop=("x-authentication-warning",)))
S.case("sendmail.plain.nullsender", simple(sendmail, "plain", env="nullsender", relay=True, drop=("x-authentication-warning",)))
S.case("sendmail.plain.manyrcpt", simple(sendmail, "plain", env="manyrcpt", relay=True, anyorder=True, drop=("x-authentication-warning",)))
S.case("sendmail.starttls", simple(sendmail, "starttls", relay=True))
S.case("sendmail.noext", simple(sendmail, "noext", "dots", relay=True))
S.case("sendmail.dsn", simple(lambda *a: sendmail(*a, extra=["-N", "success,failure", "-R", "hdrs", "-V", "sm1"]), "plain", relay=True,
                              mail_params=["RET=HDRS", "ENVID=sm1"], rcpt_params=["NOTIFY=SUCCESS,FAILURE"]))

# ------------------------------------------------------------------------------------------------- the process itself
def sigterm(ctx):
    """SIGTERM ends a server with exit code 0 within seconds, and the file count equals the JSON lines."""
    CONFIGS["term"] = CONFIGS["limited"]
    srv = Server(ctx, "term")
    lib(ctx, srv, FROM, TO, MESSAGES["ascii"])
    srv.mark = 0
    check(ctx, srv, FROM, TO, MESSAGES["ascii"])
    t0 = time.time()
    srv.p.terminate()
    try:
        rc = srv.p.wait(12)
    except subprocess.TimeoutExpired:
        raise Fail("still there 12 s after SIGTERM")
    expect(rc == 0, "exit code %d after SIGTERM" % rc)
    expect(time.time() - t0 < 5, "idle server took %.1f s" % (time.time() - t0))


S.case("process.sigterm", sigterm)


class Alone:
    """A server of its own, and a client of octets."""

    def __init__(self, ctx, *flags, stderr=subprocess.DEVNULL):
        self.maildir = tempfile.mkdtemp(prefix="alone-", dir=ctx.work)
        argv = shlex.split(o.server_cmd) + ["--listen", "127.0.0.1:0", "--maildir", self.maildir, *flags]
        self.p = spawn(argv, stdout=subprocess.PIPE, stderr=stderr)
        self.address = ("127.0.0.1", int(self.p.stdout.readline().rsplit(b":", 1)[1]))

    def client(self, *lines):
        """A session that has said these lines: its socket, its replies to come, the code of the last reply."""
        s = socket.create_connection(self.address, 15)
        f = s.makefile("rb")
        code = code_of(f)
        for line in lines:
            s.sendall(line + b"\r\n")
            code = code_of(f)
        return s, f, code

    def new(self):
        return os.listdir(os.path.join(self.maildir, "new"))


def code_of(f):
    line = f.readline()
    while line[3:4] == b"-":
        line = f.readline()
    return line[:3]


TO_DATA = (b"EHLO x.example", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@x.example>", b"DATA")


def sigterm_unfinished(ctx):
    """Who has not finished the message in ten seconds hears 421 too, and nothing of it is left."""
    srv = Alone(ctx)
    s, f, _ = srv.client(*TO_DATA)
    s.sendall(b"half a message\r\n")
    srv.p.terminate()
    expect(code_of(f) == b"421", "no 421 for a message that is not finished")
    expect(srv.p.wait(5) == 0, "exit code %d" % srv.p.returncode)
    expect(srv.new() == [] and os.listdir(os.path.join(srv.maildir, "tmp")) == [], "half a message is left")


def report_nobody_reads(ctx):
    """A message that is stored is answered 250, also when the line about it cannot be written."""
    srv = Alone(ctx)
    srv.p.stdout.close()
    s, f, _ = srv.client(*TO_DATA)
    s.sendall(b"x\r\n.\r\n")
    code = code_of(f)
    expect((code, len(srv.new())) == (b"250", 1), "reply %r, %d messages" % (code, len(srv.new())))


def deliver_many(srv, count):
    """So many messages over one connection: the lines about them are more than a pipe of 4096 octets holds."""
    s, f, code = srv.client(b"EHLO x.example")
    for i in range(count):
        for line in TO_DATA[1:]:
            s.sendall(line + b"\r\n")
            code = code_of(f)
        s.sendall(b"Subject: %d\r\n\r\n.\r\n" % i)
        code = code_of(f)
        expect(code == b"250", "message %d got %r" % (i, code))
    s.close()
    expect(len(srv.new()) == count, "%d of %d messages are there" % (len(srv.new()), count))


def small(pipe):
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)


def ends(srv):
    srv.p.terminate()
    try:
        rc = srv.p.wait(4)
    except subprocess.TimeoutExpired:
        raise Fail("still there 4 s after SIGTERM")
    expect(rc == 0, "exit code %d after SIGTERM" % rc)


def output_not_emptied(ctx):
    """A pipe at standard output that nobody empties keeps neither mail nor SIGTERM waiting; what it could not hold
    comes out as soon as somebody reads."""
    for ending in ("late reader", "SIGTERM"):
        srv = Alone(ctx)
        small(srv.p.stdout)
        deliver_many(srv, 50)
        expect(srv.client(b"EHLO x.example")[2] == b"250", "nobody else is served")
        if ending == "late reader":
            said = [json.loads(srv.p.stdout.readline())["path"] for _ in range(50)]
            expect(sorted(os.path.basename(path) for path in said) == sorted(srv.new()), "not a line about each message")
        ends(srv)


def output_lost(ctx):
    """What waits for a reader is bounded: what is lost is told, the mail is not lost."""
    err = os.path.join(ctx.work, "lost.err")
    srv = Alone(ctx, stderr=open(err, "wb"))
    small(srv.p.stdout)
    many = ["user%03d.%s@dest.example" % (i, "x" * 50) for i in range(1000)]
    for _ in range(20):
        smtplib.SMTP(*srv.address).sendmail(FROM, many, b"Subject: x\r\n\r\n")
    expect(len(srv.new()) == 20, "%d messages" % len(srv.new()))
    ends(srv)
    told = [line.split(": ")[1] for line in open(err)]
    expect(0 < len(told) < 10 and all(os.path.basename(line[len("no line about "):]) in srv.new() for line in told), "standard error: %r" % told)


def transcript_not_emptied(ctx):
    """The same for standard error."""
    srv = Alone(ctx, "--verbose", stderr=subprocess.PIPE)
    small(srv.p.stderr)
    deliver_many(srv, 50)
    expect(srv.client(b"EHLO x.example")[2] == b"250", "nobody else is served")
    ends(srv)


def output_full(ctx):
    """Standard output that cannot be written is told on standard error, and mail is taken all the same."""
    port, err = free_port(), os.path.join(ctx.work, "full.err")
    argv = shlex.split(o.server_cmd) + ["--listen", "127.0.0.1:%d" % port, "--maildir", ctx.dir("full")]
    for stderr in (err, "/dev/full"):
        p = spawn(argv, stdout=open("/dev/full", "wb"), stderr=open(stderr, "wb"))
        wait_port(port, banner=b"220", proc=p)
        smtplib.SMTP("127.0.0.1", port).sendmail(FROM, TO, MESSAGES["ascii"])
        p.terminate()
        expect(p.wait(5) == 0, "exit code %d" % p.returncode)
    said = open(err).read()
    expect("standard output" in said and "panicked" not in said, "standard error says %r" % said)


def auth_without_accounts(ctx):
    """--require-auth is never ignored."""
    _, _, code = Alone(ctx, "--require-auth").client(*TO_DATA[:2])
    expect(code == b"530", "MAIL got %r" % code)


def wrong_usage(ctx):
    """A mistake in the command line is told with one exit code, wherever it is found."""
    for flags in (["--bogus"], ["--max-size=-1"], ["--hostname", "bad name"], ["--cert", "/nowhere"], ["--listen", "nowhere"], ["--listen", "127.0.0.1:99999"],
                  ["--max-recipients", "0"], ["--idle-timeout", "0"], ["--max-errors", "0"], ["--threads", "0"], ["--threads", "99999999"],
                  ["--user", "a"], ["--user", "a:"], ["--user", ":hunter2"], ["--user", "a:hunter2", "--user", "a:hunter3"], ["--reject-recipient", "nobody"],
                  ["--maildir", "/dev/null/x"], ["--cert", "/dev/null", "--key", "/dev/null"]):
        refuses(ctx, flags, flags[0].split("=")[0])


def refuses(ctx, flags, *told):
    argv = shlex.split(o.server_cmd)
    for default, value in (("--listen", "127.0.0.1:0"), ("--maildir", ctx.dir("refused"))):
        argv += [] if default in flags else [default, value]
    p = spawn(argv + flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = p.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        raise Fail("%s: not refused" % flags)
    finally:
        stop(p)
    expect((p.returncode, out) == (64, b""), "%s: exit code %d, %r" % (flags, p.returncode, out))
    for word in told:
        expect(word.encode() in err, "%s: %r is not in %r" % (flags, word, err))
    expect(b"hunter" not in err, "a password is shown: %r" % err)


def extensions(ctx):
    """An explicit list is what EHLO announces, or it is refused with what is missing."""
    tls, user = ["--tls", "starttls"], ["--user", "alice:secret"]
    for flags, named, missing in (
            (["--extensions", "STARTTLS"], "STARTTLS", "--tls"), (["--tls", "implicit", "--extensions", "STARTTLS"], "STARTTLS", "--tls"),
            (["--extensions", "REQUIRETLS"], "REQUIRETLS", "--tls"), (["--extensions", "SIZE,auth"], "auth", "--user"),
            (["--extensions", "XCLIENT"], "XCLIENT", "--xclient"), (["--extensions", "SIZE,XFORWARD"], "XFORWARD", "--xclient"),
            (["--extensions", "BURL"], "BURL", ""), (["--extensions", "ETRN"], "ETRN", ""), (["--extensions", "BINARYMIME"], "BINARYMIME", "CHUNKING"),
            (["--extensions", "SMTPUTF8,SIZE"], "SMTPUTF8", "8BITMIME"), (["--protocol", "lmtp", "--extensions", "ATRN"], "ATRN", "--protocol"),
            (["--extensions", "SIZE,NONSENSE"], "NONSENSE", ""), (["--extensions", ""], "--extensions", "")):
        refuses(ctx, flags, named, missing)
    for flags, offered in (
            (["--extensions", "none"] + tls + user, set()), (["--extensions", "SIZE"] + tls + user, {"SIZE"}),
            (["--extensions", "size, Starttls"] + tls, {"SIZE", "STARTTLS"}), (["--extensions", "AUTH"] + user, {"AUTH"}),
            (["--extensions", "XCLIENT", "--xclient"], {"XCLIENT"}), (["--extensions", "BINARYMIME,CHUNKING"], {"BINARYMIME", "CHUNKING"}),
            (["--extensions", "REQUIRETLS,STARTTLS"] + tls, {"STARTTLS"})):
        got = said_to_ehlo(Alone(ctx, *flags))
        expect(set(got) == offered, "%s: %r" % (flags, got))
        expect("XCLIENT" not in offered or "NAME" in got["XCLIENT"], "%s: %r" % (flags, got))


def said_to_ehlo(srv):
    s = smtplib.SMTP(*srv.address)
    s.ehlo("x.example")
    s.close()
    return {name.upper(): value for name, value in s.esmtp_features.items()}


def no_size_limit(ctx):
    """0 is no limit, not no mail at all (RFC 1870 section 3)."""
    srv = Alone(ctx, "--max-size", "0")
    smtplib.SMTP(*srv.address).sendmail(FROM, TO, MESSAGES["attachment5m"])
    expect(len(srv.new()) == 1, "%d messages" % len(srv.new()))


S.case("process.sigterm.unfinished", sigterm_unfinished)
S.case("process.report-nobody-reads", report_nobody_reads)
S.case("process.output-not-emptied", output_not_emptied)
S.case("process.transcript-not-emptied", transcript_not_emptied)
S.case("process.output-lost", output_lost)
S.case("process.output-full", output_full)
S.case("process.auth-without-accounts", auth_without_accounts)
S.case("process.wrong-usage", wrong_usage)
S.case("process.extensions", extensions)
S.case("process.no-size-limit", no_size_limit)


def starttls_injection(ctx):
    """Commands sent in the clear behind STARTTLS must not be answered after the handshake."""
    srv = ctx.server("starttls")
    s = socket.create_connection((srv.host, srv.real_port), 10)
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"EHLO x.example\r\n")
    while f.readline()[3:4] == b"-":
        pass
    s.sendall(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<evil@x.example>\r\n")
    if f.readline()[:3] == b"220":
        try:
            t = ssl.create_default_context(cafile=ctx.cert["ca"]).wrap_socket(s, server_hostname="localhost")
            t.settimeout(1.5)
            t.sendall(b"EHLO y.example\r\n")
            d = b""
            try:
                while True:                   # until nothing more comes for 1.5 s, or the end
                    x = t.recv(4096)
                    if not x:
                        break
                    d += x
            except (socket.timeout, TimeoutError):
                pass
            n = len(re.findall(rb"(?m)^\d{3}(?: |\r)", d))
            expect(n <= 1, "%d replies to one EHLO after TLS: %r" % (n, d[:200]))
        except (ssl.SSLError, OSError):
            pass                      # closing is a good answer too
    s.close()


S.case("process.starttls-injection", starttls_injection)

if __name__ == "__main__":
    sys.exit(main(S, Ctx))
