"""Shared by run_clients.py and run_servers.py: messages, certificate, recording proxy, case runner."""
import argparse, base64, fnmatch, functools, hashlib, json, os, random, re, select, shutil, signal, socket, ssl
import subprocess, sys, tempfile, threading, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PREFIX = os.path.abspath(os.environ.get("INTEROP_PREFIX", os.path.join(ROOT, "target/interop")))     # as in setup.sh


def reexec_in_venv():
    """Both runners use the venv that setup.sh makes."""
    py = os.path.join(PREFIX, "venv/bin/python")
    if os.path.exists(py) and os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(PREFIX, "venv")):
        os.execv(py, [py] + sys.argv)


# ------------------------------------------------------------------------------------------------ messages
def _head(name, extra=b""):
    return (b"From: Alice Example <alice@sender.example>\r\n"
            b"To: Bob Example <bob@dest.example>\r\n"
            b"Subject: interop " + name.encode() + b"\r\n"
            b"Date: Tue, 02 Jan 2024 03:04:05 +0000\r\n"
            b"Message-ID: <" + name.encode() + b".1@sender.example>\r\n"
            b"MIME-Version: 1.0\r\n" + extra)


_ctype7 = b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n"
_ctype8 = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


def _attachment(size):
    raw, i = bytearray(), 0
    while len(raw) < size:
        raw += hashlib.sha512(b"%d" % i).digest()
        i += 1
    enc = base64.encodebytes(bytes(raw[:size])).replace(b"\n", b"\r\n")
    return (b"--frontier\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n--frontier\r\n"
            b"Content-Type: application/octet-stream; name=\"blob.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + enc + b"--frontier--\r\n")


def _messages():
    m = {}
    m["ascii"] = _head("ascii", _ctype7) + b"\r\nHello,\r\n\r\na plain message.\r\n-- \r\nAlice\r\n"
    m["dots"] = (_head("dots", _ctype7) + b"\r\n.leading dot\r\n..two dots\r\n...three\r\n.\tdot tab\r\n. dot space\r\n"
                 b"trailing dot .\r\n.x\r\nmiddle . dot\r\n.end")+b"\r\n"
    m["lonedot"] = _head("lonedot", _ctype7) + b"\r\n.\r\n.\r\nbetween\r\n.\r\n\r\n.\r\n..\r\n.\r\n"
    m["utf8body"] = _head("utf8body", _ctype8) + "\r\nGrüße aus Köln, 日本語, Ελληνικά, 🙂.\r\n.ünktlich\r\n".encode()
    m["attachment5m"] = _head("attachment5m", b"Content-Type: multipart/mixed; boundary=frontier\r\n") + b"\r\n" + _attachment(3_800_000)
    m["innerdot"] = _head("innerdot", _ctype7) + b"\r\n.\r\nbetween\r\n.\r\nlast\r\n"
    m["empty"] = b""
    m["emptybody"] = _head("emptybody", _ctype7) + b"\r\n"
    m["nonewline"] = _head("nonewline", _ctype7) + b"\r\nThe last line has no line end"
    line = (b"0123456789abcdefghijklmnopqrstuvwxyz" * 30)[:998]
    m["longlines"] = _head("longlines", _ctype7) + b"\r\n" + (line + b"\r\n") * 5 + b"." + line[:997] + b"\r\n" + line[:997] + b".\r\n"
    m["blanklines"] = _head("blanklines", _ctype7) + b"\r\n\r\n\r\n\r\ntext\r\n\r\n\r\n\r\n"
    m["utf8header"] = (_head("utf8header", _ctype8).replace(b"Alice Example <alice@sender.example>", "Älice <älice@sender.example>".encode())
                       .replace(b"Subject: interop utf8header", "Subject: Grüße übers Netz".encode()) + "\r\nKörper\r\n".encode())
    return m


MESSAGES = _messages()
BODIES = ["ascii", "dots", "lonedot", "utf8body", "attachment5m", "emptybody", "nonewline", "longlines", "blanklines"]
# name, from, to: envelopes that are tried with the message "ascii"
ENVELOPES = {
    "manyrcpt": ("alice@sender.example", ["user%03d@dest.example" % i for i in range(100)]),
    "nullsender": ("", ["bob@dest.example"]),
    "quotedlocal": ("alice@sender.example", ['"john doe"@dest.example']),
    "ipv6literal": ("alice@sender.example", ["bob@[IPv6:2001:db8::1]"]),
    "utf8addr": ("älice@sender.example", ["bøb@dest.example"]),
}


def crlf_end(b):
    return b if b.endswith(b"\r\n") else b + b"\r\n"


def to_crlf(b):
    return re.sub(rb"\r?\n", b"\r\n", b)


def strip_fields(b, names):
    """Drops header fields (folded ones whole) with these lower-case names from the top block of a CRLF message,
    but only those that stand before any other field."""
    while True:
        m = re.match(rb"([!-9;-~]+):", b)
        if not m or m.group(1).lower().decode() not in names:
            return b
        b = field_end(b)


def field_end(b):
    i = 0
    while True:
        j = b.find(b"\r\n", i)
        if j < 0:
            return b""
        if b[j + 2:j + 3] not in (b" ", b"\t"):
            return b[j + 2:]
        i = j + 2


def first_diff(a, b):
    n = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return "lengths %d/%d, differ at %d: got %r, expected %r" % (len(a), len(b), n, a[max(0, n - 20):n + 40], b[max(0, n - 20):n + 40])


# ------------------------------------------------------------------------------------------------ processes
_children = []


def spawn(argv, **kw):
    kw.setdefault("start_new_session", True)
    kw.setdefault("stdin", subprocess.DEVNULL)
    p = subprocess.Popen(argv, **kw)
    _children.append(p)
    return p


def stop(p, sig=signal.SIGTERM, wait=8):
    """Ends a process that we started, with its session's process group."""
    if p.poll() is None:
        try:
            p.send_signal(sig)
        except ProcessLookupError:
            pass
        try:
            p.wait(wait)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(p.pid, signal.SIGKILL)     # its own group: only our child and its children
    except (ProcessLookupError, PermissionError):
        pass
    try:
        p.wait(3)
    except subprocess.TimeoutExpired:
        pass
    if p in _children:
        _children.remove(p)
    return p.returncode


def stop_all():
    for p in list(_children):
        if p.poll() is None:
            try:
                p.terminate()
            except ProcessLookupError:
                pass
    for p in list(_children):
        stop(p, wait=5)


_cleanups = []


def at_cleanup(f):
    _cleanups.append(f)


def cleanup_all():
    while _cleanups:
        try:
            _cleanups.pop()()
        except Exception as e:
            print("cleanup: %r" % e, file=sys.stderr)
    stop_all()


class Result:
    def __init__(self, rc, out, err):
        self.rc, self.out, self.err = rc, out, err


def run(argv, input=None, timeout=40, env=None, cwd=None, check=True):
    """Runs a client to its end; a Fail when it does not exit 0 (check)."""
    e = dict(os.environ)
    e.update(env or {})
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=e, cwd=cwd, start_new_session=True)
    _children.append(p)
    try:
        out, err = p.communicate(input if input is not None else b"", timeout)
    except subprocess.TimeoutExpired:
        stop(p, wait=1)
        raise Fail("%s: no end after %d s" % (os.path.basename(argv[0]), timeout))
    finally:
        if p in _children:
            _children.remove(p)
    if check and p.returncode != 0:
        tail = (err or out).decode("utf-8", "replace").strip().splitlines()[-3:]
        raise Fail("%s exited %d: %s" % (os.path.basename(argv[0]), p.returncode, " | ".join(tail)))
    return Result(p.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


_ports = set()


def free_port(host="127.0.0.1"):
    """A port below the range that the kernel hands out, so that no proxy or client takes it, and no port twice."""
    fam = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        p = random.randrange(20000, 32000)
        if p in _ports:
            continue
        with socket.socket(fam) as s:
            try:
                s.bind((host, p))
            except OSError:
                continue
        _ports.add(p)
        return p
    raise Fail("no free port")


def wait_port(port, host="127.0.0.1", timeout=20, banner=None, proc=None):
    """Waits until something accepts on the port (and, with banner, greets with it)."""
    end = time.time() + timeout
    while time.time() < end:
        if proc is not None and proc.poll() is not None:
            raise Fail("daemon ended at start with %s" % proc.returncode)
        try:
            with socket.create_connection((host, port), 2) as s:
                if banner is None:
                    return
                s.settimeout(5)
                if s.recv(512).startswith(banner):
                    s.sendall(b"QUIT\r\n")
                    try:
                        s.recv(512)
                    except OSError:
                        pass
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise Fail("nothing answers on port %d" % port)


def have(*names):
    """Paths of programs, or None when one is missing.  Looks below PREFIX too."""
    path = ":".join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"])
    r = []
    for n in names:
        p = n if n.startswith("/") and os.path.exists(n) else (shutil.which(n, path=path) if not n.startswith("/") else None)
        if not p:
            raise Missing("no %s here" % n)
        r.append(p)
    return r[0] if len(r) == 1 else r


def prefixed(rel):
    p = os.path.join(PREFIX, rel)
    if not os.path.exists(p):
        raise Missing("no %s" % p)
    return p


# ------------------------------------------------------------------------------------------------ certificate
def make_cert(d):
    """A CA and a certificate for localhost, 127.0.0.1, ::1 and mx.test.example, by openssl."""
    ca, key, cert, full = (os.path.join(d, n) for n in ("ca.pem", "key.pem", "cert.pem", "chain.pem"))
    q = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Interop Test CA",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                    "-keyout", os.path.join(d, "cakey.pem"), "-out", ca], **q)
    ext = os.path.join(d, "ext.cnf")
    open(ext, "w").write("subjectAltName=DNS:localhost,DNS:mx.test.example,IP:127.0.0.1,IP:::1\nbasicConstraints=CA:FALSE\n"
                         "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth\n")
    csr = os.path.join(d, "csr.pem")
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", csr], **q)
    subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA", ca, "-CAkey", os.path.join(d, "cakey.pem"), "-CAcreateserial",
                    "-days", "30", "-extfile", ext, "-out", cert], **q)
    eckey, eccsr, eccert = (os.path.join(d, n) for n in ("eckey.pem", "eccsr.pem", "eccert.pem"))
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", eckey], **q)
    subprocess.run(["openssl", "req", "-new", "-key", eckey, "-subj", "/CN=localhost", "-out", eccsr], **q)
    subprocess.run(["openssl", "x509", "-req", "-in", eccsr, "-CA", ca, "-CAkey", os.path.join(d, "cakey.pem"), "-CAcreateserial",
                    "-days", "30", "-extfile", ext, "-out", eccert], **q)
    open(full, "wb").write(open(cert, "rb").read() + open(ca, "rb").read())
    os.chmod(key, 0o600)
    other = os.path.join(d, "other-ca.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Another CA",
                    "-keyout", os.path.join(d, "other-key.pem"), "-out", other], **q)
    return {"ca": ca, "key": key, "cert": full, "leaf": cert, "other_ca": other, "eckey": eckey, "eccert": eccert}


# ------------------------------------------------------------------------------------------------ recording proxy
class Proxy:
    """Forwards TCP and keeps who sent what, in order, for each connection."""

    def __init__(self, target, host="127.0.0.1"):
        self.target, self.conns, self.lock = target, [], threading.Lock()
        fam = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(fam)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.sock.listen(256)
        self.host, self.port = host, self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        with self.lock:
            self.conns = []

    def _accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._pump, args=(c,), daemon=True).start()

    def _pump(self, c):
        log = []
        with self.lock:
            self.conns.append(log)
        try:
            s = socket.create_connection(self.target, 10)
        except OSError:
            c.close()
            return
        for x in (c, s):
            x.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            x.settimeout(300)
        open_ = {c: s, s: c}
        try:
            while open_:
                r, _, _ = select.select(list(open_), [], [], 300)
                if not r:
                    break
                for x in r:
                    data = b""
                    try:
                        data = x.recv(65536)
                    except OSError:
                        pass
                    other = s if x is c else c
                    if not data:
                        open_.pop(x, None)
                        try:
                            other.shutdown(socket.SHUT_WR)
                        except OSError:
                            pass
                        continue
                    log.append(("C" if x is c else "S", data))
                    try:
                        other.sendall(data)
                    except OSError:
                        open_.clear()
                        break
        finally:
            c.close()
            s.close()

    def close(self):
        self.sock.close()


class Wire:
    """What one recorded connection did: commands, features, message payloads."""

    def __init__(self, log):
        self.commands, self.features, self.payloads = [], set(), []
        self.replies, self.tls = [], False
        self._parse(log)

    def _parse(self, log):
        cbuf, sbuf = b"", b""
        mode, bdat_left, chunk = "cmd", 0, b""
        outstanding, greeted, auth_left = 0, False, False
        until_data = 0              # replies up to and with the one to DATA
        for who, data in log:
            if self.tls:
                return
            if who == "S":
                sbuf += data
                while b"\n" in sbuf:
                    line, sbuf = sbuf.split(b"\n", 1)
                    line = line.rstrip(b"\r")
                    self.replies.append(line)
                    if re.match(rb"\d\d\d(-)", line):
                        if not greeted:
                            continue
                        kw = line[4:].decode("latin-1").split(" ")[0].upper()
                        if line.startswith(b"250"):
                            self.features.add("offer:" + kw)
                        continue
                    if re.match(rb"\d\d\d( |$)", line):
                        if not greeted:
                            greeted = True
                            continue
                        if line.startswith(b"250") and self.commands and self.commands[-1][:4].upper() in (b"EHLO", b"LHLO"):
                            self.features.add("offer:" + line[4:].decode("latin-1").split(" ")[0].upper())
                        outstanding = max(0, outstanding - 1)
                        if until_data:
                            until_data -= 1
                            if not until_data:
                                mode = "data" if line.startswith(b"354") else "cmd"
                        elif line.startswith(b"334"):
                            auth_left = True
                        else:
                            auth_left = False
                        if line.startswith(b"220") and self.commands and self.commands[-1].upper() == b"STARTTLS":
                            self.tls = True
                            self.features.add("STARTTLS")
                continue
            if not self.commands and not cbuf and data[:1] == b"\x16":
                self.tls = True
                self.features.add("TLS")
                return
            cbuf += data
            n_in_chunk = 0
            while cbuf:
                if mode == "bdat":
                    take = cbuf[:bdat_left]
                    chunk += take
                    cbuf = cbuf[len(take):]
                    bdat_left -= len(take)
                    if bdat_left:
                        break
                    mode = "cmd"
                    if self._last:
                        self.payloads.append(chunk)
                        chunk = b""
                    continue
                if mode == "data":
                    whole = b"\r\n" + cbuf
                    end = whole.find(b"\r\n.\r\n")
                    if end < 0:
                        break
                    body = whole[:end + 2]
                    self.payloads.append(body.replace(b"\r\n.", b"\r\n")[2:])
                    cbuf = whole[end + 5:]
                    mode = "cmd"
                    outstanding += 1
                    continue
                if b"\n" not in cbuf:
                    break
                line, cbuf = cbuf.split(b"\n", 1)
                line = line.rstrip(b"\r")
                n_in_chunk += 1
                if not greeted:
                    self.features.add("PIPECONNECT")
                if n_in_chunk > 1 or outstanding > 0:
                    self.features.add("PIPELINING")
                if auth_left:
                    outstanding += 1
                    auth_left = False
                    continue
                outstanding += 1
                self.commands.append(line)
                up = line.upper()
                verb = up.split(b" ")[0]
                if verb in (b"EHLO", b"HELO", b"LHLO", b"BDAT", b"VRFY", b"ETRN", b"BURL", b"NOOP", b"RSET", b"DATA"):
                    self.features.add(verb.decode())
                if verb == b"AUTH":
                    self.features.add("AUTH " + (up.split(b" ") + [b"?"])[1].decode("latin-1"))
                if verb in (b"MAIL", b"RCPT"):
                    m = re.match(rb"(?:MAIL FROM|RCPT TO): ?(<.*>)((?: [A-Za-z0-9-]+(?:=\S*)?)*) *$", line, re.I)
                    for par in (m.group(2).decode("latin-1").split() if m else ["?syntax"]):
                        k = par.split("=")[0].upper()
                        self.features.add(par.upper() if k in ("BODY",) else k)
                if verb == b"DATA":
                    until_data = outstanding
                if verb == b"BDAT":
                    f = up.split()
                    try:
                        bdat_left = int(f[1])
                    except (IndexError, ValueError):
                        bdat_left = 0
                    self._last = len(f) > 2 and f[2] == b"LAST"
                    mode = "bdat"
                    if bdat_left == 0:
                        mode = "cmd"
                        if self._last:
                            self.payloads.append(chunk)
                            chunk = b""

    _last = False


def used(features):
    return {f for f in features if not f.startswith("offer:")}


# ------------------------------------------------------------------------------------------------ cases
class Fail(Exception):
    pass


class Skip(Exception):
    pass


class Missing(Skip):
    """A program is not there."""


def expect(cond, what):
    if not cond:
        raise Fail(what)


class Suite:
    """basic: patterns of the cases that need no TLS, AUTH, LMTP, CHUNKING, DSN or SMTPUTF8, nor other programs than
    `setup.sh basic` installs; not: patterns of those among them that do all the same."""

    def __init__(self, doc, basic=(), but_not=()):
        self.cases, self.doc, self.basic, self.but_not = [], doc, basic, but_not

    def case(self, name, func, *args, **kw):
        self.cases.append((name, func, args, kw))

    def parse(self, add):
        ap = argparse.ArgumentParser(description=self.doc)
        add(ap)
        ap.add_argument("--strict", action="store_true", help="a missing program is a failure without --basic too")
        ap.add_argument("--basic", action="store_true", help="only the cases that need no extension beyond SIZE, 8BITMIME, PIPELINING and no programs but those of 'setup.sh basic'; a missing program is a failure")
        ap.add_argument("--only", action="append", default=[], metavar="NAME", help="run only these cases: a name, its start up to a '.', or a glob; repeatable")
        ap.add_argument("--skip", action="append", default=[], metavar="NAME", help="leave these out; repeatable")
        ap.add_argument("--list", action="store_true", help="print the names and end")
        ap.add_argument("--keep", metavar="DIR", help="work in DIR and leave it (default: a temporary folder, removed)")
        ap.add_argument("--verbose", action="store_true", help="a line for each case, passed ones too")
        ap.add_argument("--features", metavar="FILE", help="write what each program did on the wire, as JSON")
        self.opt = ap.parse_args()
        return self.opt

    def chosen(self):
        def hit(name, pats):
            return any(name == p or name.startswith(p + ".") or fnmatch.fnmatchcase(name, p) for p in pats)
        return [c for c in self.cases if (not self.opt.only or hit(c[0], self.opt.only)) and not hit(c[0], self.opt.skip)
                and (not self.opt.basic or hit(c[0], self.basic) and not hit(c[0], self.but_not))]

    def run(self, ctx):
        passed = failed = skipped = 0
        started = time.time()
        feats, why = {}, {}
        for name, func, args, kw in self.chosen():
            t0 = time.time()
            ctx.case_name = name
            try:
                ctx.begin()
                func(ctx, *args, **kw)
                passed += 1
                state, text = "ok", ""
            except Skip as e:
                if self.opt.basic or self.opt.strict and isinstance(e, Missing):   # `setup.sh` brings everything that these need
                    failed += 1
                    state, text = "FAILED", str(e)
                else:
                    skipped += 1
                    state, text = "skipped", str(e)
            except Fail as e:
                failed += 1
                state, text = "FAILED", str(e)
            except Exception as e:
                failed += 1
                state, text = "FAILED", "%s: %s" % (type(e).__name__, e)
                if self.opt.verbose:
                    traceback.print_exc()
            try:
                f = ctx.collect()
                feats.setdefault(name.split(".")[0], set()).update(f)
            except Exception:
                traceback.print_exc()
            if state != "ok" or self.opt.verbose:
                print("%s: %s%s (%.1f s)" % (name, state, ": " + text.replace("\n", " ")[:600] if text else "", time.time() - t0), flush=True)
        if self.opt.features:
            json.dump({k: sorted(v) for k, v in feats.items()}, open(self.opt.features, "w"), indent=1, ensure_ascii=False)
        print("%.0f s" % (time.time() - started))
        print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""), flush=True)
        return 1 if failed or not passed else 0


def main(suite, make_ctx):
    if suite.opt.list:
        for c in suite.chosen():
            print(c[0])
        return 0
    work = suite.opt.keep or tempfile.mkdtemp(prefix="interop-", dir=os.environ.get("INTEROP_TMP") or tempfile.gettempdir())
    os.makedirs(work, exist_ok=True)
    os.chmod(work, 0o755)
    def bye(signum, frame):
        for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(n, signal.SIG_IGN)          # the clean-up below is not to be interrupted
        raise SystemExit(128 + signum)
    for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(n, bye)
    try:
        return suite.run(make_ctx(work))
    finally:
        cleanup_all()
        if not suite.opt.keep:
            shutil.rmtree(work, ignore_errors=True)
