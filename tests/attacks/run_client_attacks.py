#!/usr/bin/env python3
"""Hostile servers (and hostile input) for an SMTP sender; Python 3.11 or later, standard library only.

    run_client_attacks.py --send-cmd 'cargo run -q --example send --' [CASES.jsonl]

For each case: a scripted server on loopback, then
`CMD --server 127.0.0.1:PORT [--from a@client.example --to b@server.example] [args] [FILE]`
(--from/--to unless the args give their own).  In args `{CA}` is a PEM file with the
server's self-signed certificate (names localhost, 127.0.0.1), `{CA_WRONG}` one for
another name, which the server then uses.

Case: {"id","class","args","message": bytes|null (FILE; a small mail by default),
"stdin": bytes?, "server":[steps], "then":{...}, "rule"}.  Byte strings are latin-1 JSON
strings, or lists of [string, times].
Server steps: {"send": S} {"read_until": S} {"expect_command": VERB} {"close": true}
{"reset": true} {"wait_ms": N} {"flood": {"data": S, "times": N}} {"starttls": true}
{"tls": true} (implicit) and {"serve": {...}}, a small well-behaved server until QUIT:
  greet: S or null; ehlo: [lines]; ehlo_tls: [lines] (after STARTTLS);
  replies: {VERB: S or [S, ...]} (the last repeats; verbs as sent, plus EOD for the end of
  data and RESP for a line after 334; S is sent as it is; a reply "CLOSE" closes; a reply
  that ends in "CLOSE" is sent, then closed), starttls_inject: S (in one write with the
  220), before: {VERB: S} unasked octets just before the reply, scram_i: N (SCRAM challenge).
then: exit = allowed exit codes; must_not_send / must_send = verbs; "plain:VERB" only
outside TLS; "bytes:S" octets anywhere; data = allowed messages, decoded (checked for each
message sent; null = not checked; [] = none may be sent); max_seconds; max_rss_mb;
output_lacks = strings that stdout+stderr must not contain; raw_ok = content may hold
octets that the default check refuses; messages = how many were sent whole;
messages_if_ok = the same, when the exit code is 0; output_clean = no control octets in it.
Always checked: no signal, no exit code 101 (Rust panic), command lines end in CRLF, hold no
other CR, LF or NUL and are at most 2048 octets, DATA content has no bare CR or LF.
"""
import argparse, base64, collections, json, os, queue, re, select, shlex, shutil, signal, socket, ssl
import struct, subprocess, sys, tempfile, threading, time

CERTS = {
 "CA": """-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUYTIJ2rfYB/ThmD8DyldxC8Box74wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzA2MzczN1oYDzIxMjYxMDMw
MDYzNzM3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQHvJ/ULwNA06Pl0moTzGlDe202OvTmqvO8gfE0SuTO84ODVofFUASH
Rb6UvYoEK7FDN8SWNLgaNrhmpm/catVRo2wwajAdBgNVHQ4EFgQU42EBY1pl0CFs
jms4G+NeJfBi9OowHwYDVR0jBBgwFoAU42EBY1pl0CFsjms4G+NeJfBi9OowGgYD
VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0E
AwIDSAAwRQIgAIOFbfzi1m4FGecXH/5DyK1Mzual5T2bpxebf9BOLe0CIQCZLn23
wKigMy8HItFiB6gNej3plrzWS2ddP2J9Xau0sA==
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiZGqzptEVLbQrKud
CeITRqj4J28Xse06tPHZxmqy9vChRANCAAQHvJ/ULwNA06Pl0moTzGlDe202OvTm
qvO8gfE0SuTO84ODVofFUASHRb6UvYoEK7FDN8SWNLgaNrhmpm/catVR
-----END PRIVATE KEY-----
""",
 "CA_WRONG": """-----BEGIN CERTIFICATE-----
MIIBnjCCAUSgAwIBAgIUTdEoZmnVhPEW/lZVIAnqRnLLIJswCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNd3JvbmcuZXhhbXBsZTAgFw0yNjExMjMwNjQxMjhaGA8yMTI2
MTAzMDA2NDEyOFowGDEWMBQGA1UEAwwNd3JvbmcuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABBkXWE4JORJ/4PuNVdQyrZ4dsTXo7BKI/Xy0E9ye4DjG
UZh6aOHOfvP5I0sCEtKXgFlx05LqPs1hLxmP4iaDVkmjajBoMB0GA1UdDgQWBBRG
E9sAQBBkCil7Lfn9812lh2zrqzAfBgNVHSMEGDAWgBRGE9sAQBBkCil7Lfn9812l
h2zrqzAYBgNVHREEETAPgg13cm9uZy5leGFtcGxlMAwGA1UdEwEB/wQCMAAwCgYI
KoZIzj0EAwIDSAAwRQIhAIfbRg6nJLBPAPHNQhAb327p4X5eAOZ3sSP4FzkuXwGw
AiAJmCcRZ7RGoKPgWsbUpaii69dd1ANriMqV9pYq9AteUw==
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNoDhN91gBc7W/dL1
A/78GU32awsEtCmzH3pgSb/TbPahRANCAAQZF1hOCTkSf+D7jVXUMq2eHbE16OwS
iP18tBPcnuA4xlGYemjhzn7z+SNLAhLSl4BZcdOS6j7NYS8Zj+Img1ZJ
-----END PRIVATE KEY-----
""",
}
MSG = b"From: a@client.example\r\nTo: b@server.example\r\nSubject: x\r\n\r\nhello\r\n"

def b(s):
    if isinstance(s, list):
        return b"".join(x.encode("latin-1") * n for x, n in s)
    return s.encode("latin-1")

class Gone(Exception):
    pass

class Peer:
    """One connection of the scripted server."""
    def __init__(self, sock, case, pem, deadline):
        self.s, self.case, self.pem, self.deadline = sock, case, pem, deadline
        self.buf = b""
        self.tls = False
        self.raw = {False: bytearray(), True: bytearray()}
        self.commands = []          # (verb, line, tls)
        self.bad = []
        self.messages = []
        self.problem = None
        sock.settimeout(0.1)

    def recv(self):
        while True:
            if time.monotonic() > self.deadline:
                raise Gone("deadline")
            try:
                d = self.s.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
            except (OSError, ValueError):
                raise Gone("error")
            if not d:
                raise Gone("eof")
            self.raw[self.tls] += d
            self.buf += d
            return

    def send(self, data):
        self.s.settimeout(20)
        try:
            self.s.sendall(data)
        except (OSError, ValueError):
            raise Gone("send")
        finally:
            try:
                self.s.settimeout(0.1)
            except OSError:
                pass

    def until(self, mark):
        while mark not in self.buf:
            self.recv()
        i = self.buf.index(mark) + len(mark)
        out, self.buf = self.buf[:i], self.buf[i:]
        return out

    def command(self, resp=False):
        while len(self.buf) < 2:
            self.recv()
        if self.buf[:2] == b"\x16\x03":
            raise Gone("TLS hello")
        ln = self.until(b"\n")
        t = ln[:-2] if ln.endswith(b"\r\n") else ln[:-1]
        if not ln.endswith(b"\r\n") or re.search(rb"[\r\n\0]", t):
            self.bad.append("command line %r" % ln[:100])
        if len(ln) > 2048 and not resp:
            self.bad.append("command line of %d octets" % len(ln))
        verb = "RESP" if resp else t.split(b" ")[0].split(b":")[0].upper().decode("latin-1")
        self.commands.append((verb, ln, self.tls))
        return verb, t

    def handshake(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(self.pem)
        self.s.settimeout(8)
        try:
            self.s = ctx.wrap_socket(self.s, server_side=True)
        except (ssl.SSLError, OSError) as e:
            raise Gone("handshake %s" % e)
        self.tls = True
        self.buf = b""
        self.s.settimeout(0.1)

    def content(self):
        """Read DATA content up to CRLF.CRLF; check and unstuff it."""
        while not (self.buf.startswith(b".\r\n") or b"\r\n.\r\n" in self.buf):
            self.recv()
        if self.buf.startswith(b".\r\n"):
            raw, self.buf = b"", self.buf[3:]
        else:
            i = self.buf.index(b"\r\n.\r\n")
            raw, self.buf = self.buf[:i + 2], self.buf[i + 5:]
        lines = raw.split(b"\r\n")
        out = []
        for ln in lines:
            if not self.case["then"].get("raw_ok") and re.search(rb"[\r\n]", ln):
                self.bad.append("bare CR or LF in the content: %r" % ln[:80])
            out.append(ln[1:] if ln.startswith(b".") else ln)
        self.messages.append(b"\r\n".join(out))

    def serve(self, o):
        replies = {k: (v if isinstance(v, list) and (not v or not isinstance(v[0], list)) else [v]) for k, v in o.get("replies", {}).items()}
        def reply(verb, default):
            if verb in o.get("before", {}):
                self.send(b(o["before"][verb]))
            v = replies.get(verb)
            r = default
            if v:
                r = v.pop(0) if len(v) > 1 else v[0]
                r = r if isinstance(r, str) else b(r).decode("latin-1")
            if r.endswith("CLOSE"):
                if r[:-5]:
                    self.send(r[:-5].encode("latin-1"))
                raise Gone("script")
            if r:
                self.send(r.encode("latin-1"))
            return r
        if o.get("greet", "220 mx.server.example ESMTP\r\n"):
            reply("GREET", o.get("greet", "220 mx.server.example ESMTP\r\n"))
        in_auth = False
        rcpts = 0
        chunk = b""
        while True:
            verb, t = self.command(in_auth)
            if in_auth:
                r = reply("RESP", "235 2.7.0 ok\r\n")
                in_auth = r.startswith("334")
                continue
            if verb in ("EHLO", "LHLO"):
                kw = o.get("ehlo_tls", o.get("ehlo", [])) if self.tls else o.get("ehlo", [])
                ls = ["mx.server.example"] + list(kw)
                reply(verb, "".join("250%s%s\r\n" % ("-" if i < len(ls) - 1 else " ", l) for i, l in enumerate(ls)))
            elif verb == "STARTTLS":
                r = replies.get("STARTTLS", ["220 2.0.0 go\r\n"])
                r = r.pop(0) if len(r) > 1 else r[0]
                if r.endswith("CLOSE"):
                    self.send(r[:-5].encode("latin-1"))
                    raise Gone("script")
                self.send(r.encode("latin-1") + b(o.get("starttls_inject", "")))
                if r.startswith("220") and not o.get("no_handshake"):
                    self.handshake()
                elif o.get("no_handshake"):
                    time.sleep(0.2)
                    self.send(b(o["no_handshake"]))
            elif verb == "AUTH":
                if o.get("scram_i") is not None:
                    ir = t.split(b" ")[2:] or [b""]
                    nonce = re.search(rb"r=([^,]*)", base64.b64decode(ir[0] + b"=="))
                    ch = b"r=" + (nonce.group(1) if nonce else b"") + b"srv,s=QSXCR+Q6sek8bf92,i=%d" % o["scram_i"]
                    self.send(b"334 " + base64.b64encode(ch) + b"\r\n")
                    in_auth = True
                else:
                    in_auth = reply("AUTH", "235 2.7.0 ok\r\n").startswith("334")
            elif verb == "MAIL":
                rcpts = 0
                chunk = b""
                reply("MAIL", "250 2.1.0 ok\r\n")
            elif verb == "RCPT":
                r = reply("RCPT", "250 2.1.5 ok\r\n")
                rcpts += r.startswith("25")
            elif verb == "DATA":
                r = reply("DATA", "354 go\r\n" if rcpts else "503 5.5.1 no recipients\r\n")
                if r.startswith("354"):
                    self.content()
                    n = rcpts if o.get("lmtp") else 1
                    for _ in range(n):
                        reply("EOD", "250 2.0.0 queued\r\n")
            elif verb == "BDAT":
                a = t.split()
                n = int(a[1])
                while len(self.buf) < n:
                    self.recv()
                chunk += self.buf[:n]
                self.buf = self.buf[n:]
                last = len(a) > 2
                if last and rcpts:
                    self.messages.append(chunk)
                    if not self.case["then"].get("raw_ok") and re.search(rb"\r(?!\n)|(?<!\r)\n", chunk):
                        self.bad.append("bare CR or LF in BDAT content")
                for _ in range(rcpts if last and o.get("lmtp") else 1):
                    reply("BDAT", "250 2.0.0 ok\r\n" if rcpts else "503 5.5.1 no recipients\r\n")
            elif verb == "QUIT":
                reply("QUIT", "221 2.0.0 bye\r\n")
                raise Gone("quit")
            elif verb in ("RSET", "NOOP", "HELO"):
                reply(verb, "250 2.0.0 ok\r\n")
            else:
                reply(verb, "502 5.5.1 what\r\n")

    def run(self, steps):
        try:
            for st in steps:
                if "send" in st:
                    self.send(b(st["send"]))
                elif "read_until" in st:
                    self.until(b(st["read_until"]))
                elif "expect_command" in st:
                    verb, t = self.command()
                    if verb not in st["expect_command"].split("|"):
                        self.problem = "wanted %s, got %r" % (st["expect_command"], t[:80])
                        break
                elif "read_content" in st:
                    self.content()
                elif "wait_ms" in st:
                    time.sleep(st["wait_ms"] / 1000)
                elif "flood" in st:
                    d, n = b(st["flood"]["data"]), st["flood"]["times"]
                    k = max(1, 65536 // len(d))
                    while n > 0 and time.monotonic() < self.deadline:
                        self.send(d * min(k, n))
                        n -= k
                elif "starttls" in st or "tls" in st:
                    self.handshake()
                elif "serve" in st:
                    self.serve(st["serve"])
                elif "reset" in st:
                    self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                elif "close" in st:
                    break
        except Gone as e:
            if str(e) in ("deadline",):
                pass
        # what the client still sends is part of the record
        try:
            if not any("reset" in st or "close" in st for st in steps):
                self.s.settimeout(0.05)
                while True:
                    d = self.s.recv(65536)
                    if not d:
                        break
                    self.raw[self.tls] += d
        except (OSError, ValueError):
            pass
        try:
            self.s.close()
        except OSError:
            pass

def run_case(c, opt, files):
    problems = []
    th = c["then"]
    lst = socket.socket()
    lst.bind(("127.0.0.1", 0))
    lst.listen(8)
    lst.settimeout(0.1)
    port = lst.getsockname()[1]
    limit = th.get("max_seconds", 20)
    deadline = time.monotonic() + limit + 4
    args = [a.replace("{CA}", files["CA"]).replace("{CA_WRONG}", files["CA_WRONG"]) for a in c["args"]]
    pem = files["CA_WRONG" if any("{CA_WRONG}" in a for a in c["args"]) else "CA"]
    peers, stop = [], threading.Event()
    def accept():
        threads = []
        while not stop.is_set():
            try:
                s, _ = lst.accept()
            except (TimeoutError, OSError):
                continue
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            p = Peer(s, c, pem, deadline)
            script = c["server"] if not peers else c.get("server2", c["server"])
            peers.append(p)
            t = threading.Thread(target=p.run, args=(script,), daemon=True)
            t.start()
            threads.append(t)
        for t in threads:
            t.join(3)
    at = threading.Thread(target=accept, daemon=True)
    at.start()
    d = tempfile.mkdtemp(prefix="smtp-client-")
    cmd = shlex.split(opt.send_cmd) + ["--server", "127.0.0.1:%d" % port]
    if "--from" not in args:
        cmd += ["--from", "a@client.example"]
    if "--to" not in args:
        cmd += ["--to", "b@server.example"]
    cmd += args
    stdin = subprocess.DEVNULL
    if c.get("stdin") is not None:
        f = os.path.join(d, "stdin")
        open(f, "wb").write(b(c["stdin"]))
        stdin = open(f, "rb")
    elif c.get("file") is not None:
        cmd.append(c["file"])
    else:
        f = os.path.join(d, "message.eml")
        open(f, "wb").write(MSG if c.get("message") is None else b(c["message"]))
        cmd.append(f)
    t0 = time.monotonic()
    rss = 0
    try:
        with open(os.path.join(d, "out"), "wb") as out:
            try:
                p = subprocess.Popen([x.encode("latin-1") for x in cmd], stdout=out, stderr=subprocess.STDOUT, stdin=stdin, start_new_session=True)
            except (ValueError, OSError) as e:
                return ["could not start: %s" % e]
            while p.poll() is None:
                try:
                    for ln in open("/proc/%d/status" % p.pid):
                        if ln.startswith("VmHWM:"):
                            rss = max(rss, int(ln.split()[1]) // 1024)
                except OSError:
                    pass
                if time.monotonic() - t0 > limit:
                    os.killpg(p.pid, signal.SIGKILL)
                    p.wait()
                    problems.append("still running after %d s" % limit)
                    break
                time.sleep(0.01)
            rc = p.returncode
        if not problems:
            if rc < 0 or rc == 101:
                problems.append("crashed: %s" % ("signal %d" % -rc if rc < 0 else "panic (101)"))
            elif rc not in th["exit"]:
                problems.append("exit code %d, allowed %s" % (rc, th["exit"]))
        stop.set()
        at.join(5)
        outb = open(os.path.join(d, "out"), "rb").read()
    finally:
        stop.set()
        lst.close()
        shutil.rmtree(d, ignore_errors=True)
    verbs = [(v, tls) for x in peers for v, _, tls in x.commands]
    everything = b"".join(bytes(x.raw[False]) + b"\n" + bytes(x.raw[True]) for x in peers)
    lower = everything.lower()
    plain_lines = b"\r\n" + b"\r\n".join(bytes(x.raw[False]) for x in peers)
    def sent(what):
        if what.startswith("bytes:"):
            return what[6:].encode("latin-1").lower() in lower
        if what.startswith("plain:"):
            w = what[6:]
            return (w, False) in verbs or re.search(rb"\n" + w.encode() + rb"[ \r\n:]", plain_lines) is not None
        return any(v == what for v, _ in verbs) or re.search(rb"\n" + what.encode() + rb"[ \r\n:]", b"\r\n" + everything) is not None and what not in ("DATA",)
    for w in th.get("must_not_send") or []:
        if sent(w):
            problems.append("sent %r" % w)
    for w in th.get("must_send") or []:
        if not sent(w):
            problems.append("did not send %r" % w)
    for x in peers:
        problems += x.bad[:2]
        if x.problem:
            problems.append(x.problem)
    if th.get("data") is not None:
        want = [b(m) for m in th["data"]]
        for x in peers:
            for m in x.messages:
                if m not in want:
                    problems.append("content %r (%d octets), allowed %s" % (m[:100], len(m), [w[:60] for w in want][:2]))
    if th.get("messages") is not None:
        n = sum(len(x.messages) for x in peers)
        if n != th["messages"]:
            problems.append("%d messages sent, wanted %d" % (n, th["messages"]))
    if "messages_if_ok" in th and rc == 0 and sum(len(x.messages) for x in peers) != th["messages_if_ok"]:
        problems.append("exit code 0, but %d messages were sent" % sum(len(x.messages) for x in peers))
    if "max_rss_mb" in th and rss > th["max_rss_mb"] + opt.rss_extra:
        problems.append("used %d MiB (limit %d)" % (rss, th["max_rss_mb"]))
    for s in th.get("output_lacks") or []:
        if b(s) in outb:
            problems.append("output contains %r" % s)
    if th.get("output_clean") and re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", outb):
        problems.append("control octets in the output: %r" % re.search(rb".{0,20}[\x00-\x08\x0b\x0c\x0e-\x1f\x7f].{0,20}", outb, re.S).group(0))
    return problems

def needs(c):
    """What a case asks of the sender beside the plain protocol, read off its flags and what it must send."""
    n = set()
    a = c["args"]
    if "--tls" in a and a[a.index("--tls") + 1] != "none":
        n.add("TLS")
    if "--user" in a:
        n.add("AUTH")
    if "lmtp" in a:
        n.add("LMTP")
    if any(x in a for x in ("--ret", "--envid", "--notify")):
        n.add("DSN")
    if "bytes:SMTPUTF8" in (c["then"].get("must_send") or []):
        n.add("SMTPUTF8")
    return n

def main():
    ap = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    ap.add_argument("cases", nargs="?", default=os.path.join(here, "client-attacks.jsonl"))
    ap.add_argument("--send-cmd", default="cargo run -q --release --features tokio --example send --")
    ap.add_argument("--only", action="append")
    ap.add_argument("--class", dest="klass", action="append")
    ap.add_argument("--without", default="", metavar="LIST", help="leave out the cases that need one of these: TLS,AUTH,LMTP,DSN,SMTPUTF8")
    ap.add_argument("--list", action="store_true", help="print the chosen cases and what each needs, and end")
    ap.add_argument("--jobs", type=int, default=1)
    ap.add_argument("--rss-extra", type=int, default=0, help="MiB allowed on top of max_rss_mb (for interpreters)")
    ap.add_argument("--summary", action="store_true")
    ap.add_argument("--results")
    opt = ap.parse_args()
    # Removed at the end with all that stands in it, also what a program that cannot be started leaves.
    folder = tempfile.TemporaryDirectory(prefix="smtp-client-")
    tempfile.tempdir = folder.name
    cases = [json.loads(ln) for ln in open(opt.cases, encoding="utf-8") if ln.strip()]
    cases = [c for c in cases if (not opt.klass or c["class"] in opt.klass) and
             (not opt.only or any(c["id"] == o or (o.endswith("*") and c["id"].startswith(o[:-1])) for o in opt.only))]
    without = {x for x in opt.without.upper().split(",") if x}
    left_out = sum(1 for c in cases if needs(c) & without)
    cases = [c for c in cases if not needs(c) & without]
    if opt.list:
        for c in cases:
            print(c["class"], c["id"], ",".join(sorted(needs(c))) or "-")
        return
    if left_out:
        print("left out: %d cases that need one of %s" % (left_out, ", ".join(sorted(without))))
    tmp = tempfile.mkdtemp(prefix="smtp-client-ca-")
    files = {}
    for k, v in CERTS.items():
        files[k] = os.path.join(tmp, k + ".pem")
        open(files[k], "w").write(v.strip() + "\n")
    q = queue.Queue()
    for c in sorted(cases, key=lambda c: -c.get("cost", 0)):
        q.put(c)
    res, lock = {}, threading.Lock()
    def worker():
        while True:
            try:
                c = q.get_nowait()
            except queue.Empty:
                return
            try:
                p = run_case(c, opt, files)
            except Exception as e:
                p = ["runner: %s: %s" % (type(e).__name__, e)]
            with lock:
                res[c["id"]] = p
                if p:
                    print("FAIL %s [%s]: %s" % (c["id"], c["class"], "; ".join(p)), flush=True)
    ts = [threading.Thread(target=worker) for _ in range(max(1, opt.jobs))]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    shutil.rmtree(tmp, ignore_errors=True)
    failed = sum(1 for p in res.values() if p)
    if opt.summary:
        per = collections.OrderedDict()
        for c in cases:
            t = per.setdefault(c["class"], [0, 0])
            t[1] += 1
            t[0] += not res[c["id"]]
        for k, (x, y) in per.items():
            print("%-14s %d/%d" % (k, x, y))
    if opt.results:
        with open(opt.results, "w") as f:
            for c in cases:
                f.write(json.dumps({"id": c["id"], "class": c["class"], "problems": res[c["id"]]}) + "\n")
    print("%d passed, %d failed" % (len(res) - failed, failed))
    sys.exit(1 if failed or not res else 0)

if __name__ == "__main__":
    main()
