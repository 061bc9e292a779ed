#!/usr/bin/env python3
"""Black-box attack runner for an SMTP/LMTP server (Python 3.11 or later, standard library only).

    run_server_attacks.py --server-cmd 'cargo run -q --example server --' [CASES.jsonl]

Starts `CMD --listen 127.0.0.1:0 --maildir TMP [case args]`, waits for the line
`listening on ADDR` on its standard output, plays the cases against it, and looks
at what the Maildir holds afterwards.  One process serves all cases with equal
args; with --jobs N the groups run side by side, each with its own process, so the
messages found in a Maildir always belong to the case that has just run.

Step language (byte strings are JSON strings read as latin-1, or lists of [string, times]):
  {"send": S, "split": null|[offsets]|"each", "delay_ms": N}
                              write S; split = separate TCP writes (delay_ms between them)
  {"send_repeat": {"data": S, "times": N, "delay_ms": N?}}
                              write S N times, reading replies meanwhile
  {"send_noread": {"data": S, "times": N}}   the same, but never reading (stops when blocked 1 s)
  {"expect": "250|5xx|close|any"}            one whole reply, or the end of the connection
  {"expect_all": {"codes": P, "until": "close"|N}}  replies up to the close / N replies
  {"expect_silence_ms": N}                   no octet from the server for N ms
  {"expect_ehlo_has": K}, {"expect_ehlo_lacks": K}  about the last reply read
  {"expect_text": REGEX}                     about the last reply read (whole text)
  {"starttls": true|"may_fail"}              TLS handshake as a client (not verified)
  {"tls": true}                              the same without a STARTTLS before it
  {"expect_raw_lacks": {"bytes": REGEX, "ms": N}}   nothing like it arrives within N ms
  {"expect_closed": true}                    the peer has closed (whatever it sent before)
  {"send_if_354": S}                         if the last reply was 354: send S, want a refusal
  {"tls_close_notify": true}                 send close_notify, then go on in the clear
  {"wait_ms": N} {"half_close": true} {"abort": true}(RST) {"close": true}(FIN)
If an `expect` that allows `close` met the close, or `starttls` finds that the last
reply was not 220, the remaining steps are skipped and `then` is checked.
then: messages = N or [N, ...] allowed; bodies = exact bodies or null (checked when as
many messages are there as bodies); alive; max_rss_growth_mb (optional).
Every reply is also checked: code syntax, same code on all lines, CRLF, at most 512
octets a line, printable ASCII only.
"""
import argparse, collections, errno, json, os, queue, re, select, shlex, shutil, signal
import socket, ssl, struct, subprocess, sys, tempfile, threading, time

class Fail(Exception):
    pass

class Closed(Exception):
    pass

def b(s):
    """A byte string of the case file: a string, or a list of [string, times]."""
    if isinstance(s, list):
        return b"".join(x.encode("latin-1") * n for x, n in s)
    return s.encode("latin-1")

class Conn:
    def __init__(self, addr, timeout, family=socket.AF_INET):
        self.timeout = timeout
        self.s = socket.create_connection(addr, timeout=timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.s.setblocking(False)
        self.buf = bytearray()
        self.eof = False
        self.wclosed = False
        self.tls = False
        self.last = None
        self.octets_in = 0
        self.utf8 = False           # the client has said SMTPUTF8: UTF-8 replies are allowed (RFC 6531 3.7.4)

    # -- low level -----------------------------------------------------------
    def _recv(self):
        """One non-blocking read; True if something (data or eof) happened."""
        if self.eof:
            return False
        try:
            d = self.s.recv(65536)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except (ConnectionError, ssl.SSLError, OSError):
            self.eof = True
            return True
        if not d:
            self.eof = True
        else:
            self.buf += d
            self.octets_in += len(d)
        return True

    def _wait(self, r, w, t):
        if r and self.tls:
            try:
                if self.s.pending():
                    return True, False
            except (ValueError, OSError, AttributeError):
                pass
        rr, ww, _ = select.select([self.s] if r else [], [self.s] if w else [], [], max(0, t))
        return bool(rr), bool(ww)

    def write(self, data, drain=True, block_s=None):
        """Write all; returns False if the peer has gone (that is for `expect` to judge)."""
        mv = memoryview(data)
        limit = self.timeout * 4 if block_s is None else block_s
        deadline = time.monotonic() + limit
        while mv:
            if self.wclosed or (self.eof and drain):
                return False
            try:
                n = self.s.send(mv[:262144])
                mv = mv[n:]
                deadline = time.monotonic() + limit
                if drain and len(mv):
                    self._recv()
                continue
            except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            except (ConnectionError, ssl.SSLError, OSError):
                self.wclosed = True
                return False
            left = deadline - time.monotonic()
            if left <= 0:
                if block_s is not None:
                    return True
                raise Fail("write blocked for %.0f s: the server does not read" % limit)
            r, _ = self._wait(drain, True, min(left, 0.5))
            if r and drain:
                self._recv()
        if drain:
            self._recv()
        return True

    def line(self, deadline):
        while True:
            i = self.buf.find(b"\n")
            if i >= 0:
                ln = bytes(self.buf[: i + 1])
                del self.buf[: i + 1]
                return ln
            if len(self.buf) > 1 << 20:
                raise Fail("reply line of more than 1 MiB")
            if self.eof:
                if self.buf:
                    rest = bytes(self.buf)
                    self.buf.clear()
                    raise Fail("connection closed inside a reply line: %r" % rest[:80])
                raise Closed()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            r, _ = self._wait(True, False, min(left, 1))
            if r:
                self._recv()

    def reply(self, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        lines, code = [], None
        while True:
            ln = self.line(deadline)
            if not ln.endswith(b"\r\n"):
                raise Fail("reply line does not end in CRLF: %r" % ln[:100])
            if len(ln) > 512:
                raise Fail("reply line of %d octets (RFC 5321 4.5.3.1.5: 512)" % len(ln))
            t = ln[:-2]
            m = re.match(rb"^([2-5][0-9][0-9])(?:([ -])(.*))?$", t, re.S)
            if not m:
                raise Fail("malformed reply line %r" % ln[:100])
            try:
                t.decode("utf-8" if self.utf8 else "ascii")
                dirty = re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", t)
            except UnicodeDecodeError:
                dirty = True
            if dirty:
                raise Fail("reply with control or 8-bit octets: %r" % ln[:100])
            if code is not None and m.group(1) != code:
                raise Fail("multi-line reply with two codes: %r" % ln[:100])
            code = m.group(1)
            lines.append((m.group(3) or b"").decode("utf-8"))
            if len(lines) > 200:
                raise Fail("reply of more than 200 lines")
            if m.group(2) != b"-":
                self.last = (code.decode(), lines)
                return self.last

    def shut(self, rst=False):
        try:
            if rst:
                self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.s.close()
        except OSError:
            pass
        self.eof = self.wclosed = True

def needs(c):
    """What a case asks of the server beside the plain protocol, read off its flags and steps.  The verb or parameter
    alone is no need: that LHLO or STARTTLS is refused where it is not offered is for every server to show."""
    n = set()
    for flag, what in (("--tls", "TLS"), ("--user", "AUTH"), ("--xclient", "XCLIENT"), ("--proxy-protocol", "PROXY")):
        if flag in c["args"]:
            n.add(what)
    if "lmtp" in c["args"]:
        n.add("LMTP")
    for st in c["steps"]:
        if "starttls" in st or "tls" in st:
            n.add("TLS")
        if "expect_ehlo_has" in st:
            n.add(st["expect_ehlo_has"].split(" ")[0].upper())
        for k in ("send", "send_if_354"):
            if k in st:
                n |= {w.decode().upper() for w in re.findall(rb"(?im)^(BDAT|AUTH)\b", b(st[k]))}
                n |= {w.decode().upper() for w in re.findall(rb"(?im)^MAIL FROM:.* (SMTPUTF8|RET|ENVID|AUTH)\b", b(st[k]))}
    return {"CHUNKING" if x == "BDAT" else "DSN" if x in ("RET", "ENVID") else x for x in n}

def allows(pattern, code):
    """code is '250' or 'close'."""
    for p in pattern.split("|"):
        if p == "any" or p == code:
            return True
        if code != "close" and re.fullmatch(p.replace("x", "[0-9]"), code):
            return True
    return False

# -- the server process -------------------------------------------------------
def tree_rss_kb(pid):
    """Resident memory of a process and its descendants, in KiB."""
    kids = collections.defaultdict(list)
    rss = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                with open("/proc/%s/stat" % d) as f:
                    st = f.read().rsplit(")", 1)[1].split()
                kids[int(st[1])].append(int(d))
                rss[int(d)] = int(st[21]) * 4
            except (OSError, IndexError, ValueError):
                pass
    total, todo = 0, [pid]
    while todo:
        p = todo.pop()
        total += rss.get(p, 0)
        todo += kids.get(p, [])
    return total

class Server:
    def __init__(self, opt, args):
        self.dir = tempfile.mkdtemp(prefix="smtp-attack-")
        self.maildir = os.path.join(self.dir, "mail")
        self.log = open(os.path.join(self.dir, "stderr"), "wb")
        cmd = shlex.split(opt.server_cmd) + ["--listen", "127.0.0.1:0", "--maildir", self.maildir] + args
        self.p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL,
                                  start_new_session=True)
        self.addr = None
        self.lines = []
        self.ready = threading.Event()
        threading.Thread(target=self._out, daemon=True).start()
        if not self.ready.wait(opt.start_timeout) or not self.addr:
            err = open(os.path.join(self.dir, "stderr"), "rb").read()[-400:]
            self.stop()
            raise Fail("server did not print `listening on ADDR` (args %s): %r" % (args, err))

    def _out(self):
        for ln in self.p.stdout:
            t = ln.decode("utf-8", "replace").strip()
            if self.addr is None and t.startswith("listening on "):
                host, port = t[len("listening on "):].rsplit(":", 1)
                self.addr = (host.strip("[]"), int(port))
                self.ready.set()
            else:
                self.lines.append(t)
        self.ready.set()

    def new(self):
        d = os.path.join(self.maildir, "new")
        try:
            return set(os.listdir(d))
        except FileNotFoundError:
            return set()

    def stop(self):
        try:
            os.killpg(self.p.pid, signal.SIGTERM)
            self.p.wait(3)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.p.pid, signal.SIGKILL)
            self.p.wait(3)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

def strip_trace(raw, names):
    """Take off the trace fields the server put in front; each name at most once."""
    left = [n.lower() for n in names]
    nl = b"\r\n" if b"\r\n" in raw[:2000] else b"\n"
    got = []
    while True:
        m = re.match(rb"([!-9;-~]+):[^\n]*\n(?:[ \t][^\n]*\n)*", raw)
        if not m or m.group(1).lower().decode() not in left:
            return raw, got
        left.remove(m.group(1).lower().decode())
        got.append(m.group(1).lower().decode())
        raw = raw[m.end():]

# -- one case -------------------------------------------------------------------
def run_steps(c, conn, opt):
    """Returns True when the connection ended in an allowed way."""
    for i, st in enumerate(c["steps"]):
        where = "step %d %s" % (i, json.dumps(st)[:120])
        try:
            if "send" in st:
                data, split = b(st["send"]), st.get("split")
                if split == "each":
                    parts = [data[k:k + 1] for k in range(len(data))]
                    pause = st.get("delay_ms", 0.3) / 1000
                elif split:
                    cuts = [0] + list(split) + [len(data)]
                    parts = [data[x:y] for x, y in zip(cuts, cuts[1:])]
                    pause = st.get("delay_ms", 8) / 1000
                else:
                    parts, pause = [data], 0
                conn.utf8 = conn.utf8 or b"SMTPUTF8" in data
                for p in parts:
                    if not conn.write(p):
                        break
                    if pause:
                        time.sleep(pause)
            elif "send_repeat" in st:
                r = st["send_repeat"]
                data, n = b(r["data"]), r["times"]
                if r.get("delay_ms"):
                    for _ in range(n):
                        if not conn.write(data) or conn.eof:
                            break
                        time.sleep(r["delay_ms"] / 1000)
                else:
                    k = max(1, 65536 // max(1, len(data)))
                    while n > 0:
                        if not conn.write(data * min(k, n)):
                            break
                        n -= k
            elif "send_noread" in st:
                r = st["send_noread"]
                data, n = b(r["data"]), r["times"]
                k = max(1, 65536 // max(1, len(data)))
                while n > 0:
                    t0 = time.monotonic()
                    if not conn.write(data * min(k, n), drain=False, block_s=1.0):
                        break
                    if time.monotonic() - t0 >= 1.0:
                        break
                    n -= k
            elif "expect" in st:
                try:
                    code, lines = conn.reply(st.get("timeout_s"))
                except Closed:
                    if allows(st["expect"], "close"):
                        return True
                    raise Fail("connection closed, expected %s" % st["expect"])
                if not allows(st["expect"].replace("close", "000"), code):
                    raise Fail("got %s %s, expected %s" % (code, " / ".join(lines)[:80], st["expect"]))
            elif "expect_all" in st:
                r = st["expect_all"]
                n = 0
                deadline = time.monotonic() + r.get("timeout_s", opt.timeout * 4)
                while True:
                    if r["until"] != "close" and n >= r["until"]:
                        break
                    try:
                        code, lines = conn.reply(max(0.1, deadline - time.monotonic()))
                    except Closed:
                        if r["until"] == "close" or allows(r["codes"], "close"):
                            return True
                        raise Fail("connection closed after %d replies" % n)
                    except TimeoutError:
                        raise Fail("%d replies, then nothing; wanted %s" % (n, r["until"]))
                    if not allows(r["codes"], code):
                        raise Fail("reply %d is %s %s, expected %s" % (n, code, " / ".join(lines)[:80], r["codes"]))
                    n += 1
            elif "expect_silence_ms" in st:
                end = time.monotonic() + st["expect_silence_ms"] / 1000
                while time.monotonic() < end and not conn.eof and not conn.buf:
                    if conn._wait(True, False, end - time.monotonic())[0]:
                        conn._recv()
                if conn.buf:
                    raise Fail("unexpected octets: %r" % bytes(conn.buf[:80]))
                if conn.eof and not st.get("close_ok", True):
                    raise Fail("connection closed")
            elif "expect_ehlo_has" in st or "expect_ehlo_lacks" in st:
                if not conn.last:
                    raise Fail("no reply yet")
                kws = [l.split(" ")[0].split("=")[0].upper() for l in conn.last[1][1:]]
                full = [l.upper() for l in conn.last[1][1:]]
                want = (st.get("expect_ehlo_has") or st.get("expect_ehlo_lacks")).upper()
                has = want in full if " " in want else want in kws
                if has != ("expect_ehlo_has" in st):
                    raise Fail("EHLO keywords are %s" % full)
            elif "expect_text" in st:
                if not re.search(st["expect_text"], "\n".join(conn.last[1])):
                    raise Fail("reply text %r" % conn.last[1])
            elif "expect_raw_lacks" in st:
                r = st["expect_raw_lacks"]
                end = time.monotonic() + r["ms"] / 1000
                while time.monotonic() < end and not conn.eof:
                    if conn._wait(True, False, end - time.monotonic())[0]:
                        conn._recv()
                if re.search(b(r["bytes"]), bytes(conn.buf)):
                    raise Fail("got %r" % bytes(conn.buf[:80]))
                conn.buf.clear()
            elif "expect_closed" in st:
                end = time.monotonic() + opt.timeout
                while time.monotonic() < end and not conn.eof:
                    if conn._wait(True, False, end - time.monotonic())[0]:
                        conn._recv()
                    conn.buf.clear()
                if not conn.eof:
                    raise Fail("still open")
            elif "send_if_354" in st:
                if conn.last and conn.last[0] == "354":
                    conn.write(b(st["send_if_354"]))
                    try:
                        code, lines = conn.reply()
                    except Closed:
                        return True
                    if "messages" in c["then"] and c["then"]["messages"] == 0 and code[0] not in "45":
                        raise Fail("got %s after a 354 without recipients" % code)
            elif "starttls" in st or "tls" in st:
                if "starttls" in st and (not conn.last or conn.last[0] != "220"):
                    return True
                if conn.buf:
                    raise Fail("octets after the 220 of STARTTLS: %r" % bytes(conn.buf[:80]))
                ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                ctx.check_hostname = False
                ctx.verify_mode = ssl.CERT_NONE
                try:
                    conn.s.settimeout(opt.timeout)
                    conn.s = ctx.wrap_socket(conn.s, server_hostname="localhost")
                    conn.s.setblocking(False)
                    conn.tls = True
                except (ssl.SSLError, OSError) as e:
                    if st.get("starttls") == "may_fail":
                        return True
                    raise Fail("TLS handshake: %s" % e)
            elif "tls_close_notify" in st:
                try:
                    conn.s.setblocking(True)
                    conn.s.settimeout(0.5)
                    raw = conn.s.unwrap()
                    conn.s = raw
                except (ssl.SSLError, OSError, ValueError):
                    try:
                        conn.s = socket.socket(fileno=os.dup(conn.s.fileno()))
                    except OSError:
                        pass
                conn.tls = False
                conn.s.setblocking(False)
            elif "wait_ms" in st:
                time.sleep(st["wait_ms"] / 1000)
            elif "half_close" in st:
                try:
                    conn.s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                conn.wclosed = True
            elif "abort" in st:
                conn.shut(rst=True)
                return True
            elif "close" in st:
                conn.shut()
                return True
            else:
                raise Fail("unknown step")
        except TimeoutError:
            raise Fail("%s: no reply within %.0f s" % (where, opt.timeout))
        except Fail as e:
            raise Fail("%s: %s" % (where, e))
    return False

def probe(server, opt, args):
    lmtp = "lmtp" in args
    try:
        c = Conn(server.addr, opt.timeout)
        if "implicit" in args:
            run_steps({"steps": [{"tls": True}], "then": {}}, c, opt)
        c.reply()
        c.write((b"LHLO" if lmtp else b"EHLO") + b" probe.example\r\n")
        code, _ = c.reply()
        c.write(b"QUIT\r\n")
        c.reply()
        c.shut()
        return None if code == "250" else "EHLO got %s" % code
    except (Fail, Closed, TimeoutError, OSError) as e:
        return "%s %s" % (type(e).__name__, e)

def run_case(c, server, opt):
    before = server.new()
    rss0 = tree_rss_kb(server.p.pid) if "max_rss_growth_mb" in c["then"] else 0
    problems = []
    conn = None
    peak = [rss0]
    stop = threading.Event()
    if "max_rss_growth_mb" in c["then"]:
        def watch():
            while not stop.wait(0.05):
                peak[0] = max(peak[0], tree_rss_kb(server.p.pid))
        threading.Thread(target=watch, daemon=True).start()
    try:
        conn = Conn(server.addr, c.get("timeout_s", opt.timeout))
        ended = run_steps(c, conn, opt)
        if not ended and not c.get("trailing_ok"):
            end = time.monotonic() + 0.03
            while time.monotonic() < end and not conn.eof:
                if conn._wait(True, False, end - time.monotonic())[0]:
                    conn._recv()
            if conn.buf:
                problems.append("octets nobody asked for after the last step: %r" % bytes(conn.buf[:100]))
    except Fail as e:
        problems.append(str(e))
    except OSError as e:
        problems.append("%s: %s" % (type(e).__name__, e))
    finally:
        if conn:
            conn.shut()
    th = c["then"]
    allowed = th["messages"] if isinstance(th["messages"], list) else [th["messages"]]
    end = time.monotonic() + opt.settle
    got = server.new() - before
    while time.monotonic() < end or (len(got) not in allowed and time.monotonic() < end + opt.grace):
        time.sleep(0.02)
        got = server.new() - before
        if len(got) not in allowed and len(got) > max(allowed):
            break
        if len(got) in allowed and time.monotonic() > end:
            break
    stop.set()
    if len(got) not in allowed:
        problems.append("%d messages stored, expected %s" % (len(got), th["messages"]))
    if th.get("bodies") is not None and len(got) == len(th["bodies"]) and not opt.no_bodies:
        have = []
        for f in got:
            raw = open(os.path.join(server.maildir, "new", f), "rb").read()
            raw, names = strip_trace(raw, opt.trace)
            if opt.lf_store:
                raw = re.sub(rb"(?<!\r)\n", b"\r\n", raw)
            have.append(raw)
        want = [b(x) for x in th["bodies"]]
        if opt.lf_store:
            want = [re.sub(rb"(?<!\r)\n", b"\r\n", x) for x in want]
        # a message that starts with blanks looks like a folded Received field
        want = [re.sub(rb"\A(?:[ \t][^\n]*\n)+", b"", x) for x in want]
        if sorted(have) != sorted(want):
            d = [h for h in have if h not in want] or have
            w = [x for x in want if x not in have] or want
            def clip(x):
                return repr(x) if len(x) <= 160 else "%r…(%d octets)…%r" % (x[:60], len(x), x[-60:])
            problems.append("stored %s, expected %s" % (clip(d[0]), clip(w[0])))
    if "max_rss_growth_mb" in th:
        grow = (peak[0] - rss0) / 1024
        if grow > th["max_rss_growth_mb"]:
            problems.append("memory grew by %.0f MiB (limit %d)" % (grow, th["max_rss_growth_mb"]))
    if th.get("alive", True):
        if server.p.poll() is not None:
            problems.append("the server has exited with %s" % server.p.returncode)
        else:
            e = probe(server, opt, c["args"])
            if e:
                problems.append("not alive afterwards: %s" % e)
    return problems

def main():
    ap = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    ap.add_argument("cases", nargs="?", default=os.path.join(here, "server-attacks.jsonl"))
    ap.add_argument("--server-cmd", default="cargo run -q --release --features tokio --example server --")
    ap.add_argument("--only", action="append", help="only this case id (repeatable; * as a suffix matches a prefix)")
    ap.add_argument("--class", dest="klass", action="append", help="only this class (repeatable)")
    ap.add_argument("--without", default="", metavar="LIST",
                    help="leave out the cases that need one of these: TLS,AUTH,LMTP,XCLIENT,PROXY or EHLO keywords")
    ap.add_argument("--list", action="store_true", help="print the chosen cases and what each needs, and end")
    ap.add_argument("--jobs", type=int, default=1)
    ap.add_argument("--timeout", type=float, default=5, help="seconds a step may wait (5)")
    ap.add_argument("--start-timeout", type=float, default=60)
    ap.add_argument("--settle", type=float, default=0.06, help="seconds to wait before counting messages")
    ap.add_argument("--grace", type=float, default=0.0, help="more seconds to wait for a missing message")
    ap.add_argument("--trace", default="Return-Path,Received", help="trace fields the server adds, each once")
    ap.add_argument("--lf-store", action="store_true", help="the store turns CRLF into LF")
    ap.add_argument("--no-bodies", action="store_true")
    ap.add_argument("--summary", action="store_true", help="also print passed/total per class")
    ap.add_argument("--results", help="write one JSON line per case here")
    opt = ap.parse_args()
    # Removed at the end with all that stands in it, also what a program that cannot be started leaves.
    folder = tempfile.TemporaryDirectory(prefix="smtp-attack-")
    tempfile.tempdir = folder.name
    opt.trace = [x for x in opt.trace.split(",") if x]
    cases = []
    for n, ln in enumerate(open(opt.cases, encoding="utf-8"), 1):
        if ln.strip():
            cases.append(json.loads(ln))
    def want(c):
        if opt.klass and c["class"] not in opt.klass:
            return False
        if opt.only:
            return any(c["id"] == o or (o.endswith("*") and c["id"].startswith(o[:-1])) for o in opt.only)
        return True
    without = {x for x in opt.without.upper().split(",") if x}
    chosen = [c for c in cases if want(c)]
    cases = [c for c in chosen if not needs(c) & without]
    if opt.list:
        for c in cases:
            print(c["class"], c["id"], ",".join(sorted(needs(c))) or "-")
        return
    for c in chosen:
        if needs(c) & without:
            print("left out: %s [%s] needs %s" % (c["id"], c["class"], ", ".join(sorted(needs(c) & without))))
    groups = collections.OrderedDict()
    for c in cases:
        groups.setdefault(tuple(c["args"]), []).append(c)
    # cut big groups so that --jobs has something to share out; slow cases first
    work = []
    for args, cs in groups.items():
        cs.sort(key=lambda c: -c.get("cost", 0))
        k = max(1, min(opt.jobs, len(cs) // 8))
        for i in range(k):
            work.append((list(args), cs[i::k]))
    work.sort(key=lambda w: -sum(1 + 20 * c.get("cost", 0) for c in w[1]))
    q = queue.Queue()
    for w in work:
        q.put(w)
    lock = threading.Lock()
    results = {}
    def record(c, problems):
        with lock:
            results[c["id"]] = (c, problems)
            if problems:
                print("FAIL %s [%s]: %s" % (c["id"], c["class"], "; ".join(problems)), flush=True)
    def worker():
        while True:
            try:
                args, cs = q.get_nowait()
            except queue.Empty:
                return
            server = None
            for c in cs:
                try:
                    if server is None or server.p.poll() is not None:
                        if server:
                            server.stop()
                        server = Server(opt, args)
                    record(c, run_case(c, server, opt))
                    if results[c["id"]][1] and any("not alive" in p for p in results[c["id"]][1]):
                        server.stop()
                        server = None
                except Fail as e:
                    record(c, [str(e)])
                    server = None
                except Exception as e:                      # a bug here is not a pass
                    record(c, ["runner: %s: %s" % (type(e).__name__, e)])
            if server:
                server.stop()
    ts = [threading.Thread(target=worker) for _ in range(max(1, opt.jobs))]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    failed = sum(1 for c, p in results.values() if p)
    if opt.summary:
        per = collections.OrderedDict()
        for c in cases:
            t = per.setdefault(c["class"], [0, 0])
            t[1] += 1
            t[0] += 0 if results[c["id"]][1] else 1
        for k, (x, y) in per.items():
            print("%-14s %d/%d" % (k, x, y))
    if opt.results:
        with open(opt.results, "w") as f:
            for c in cases:
                f.write(json.dumps({"id": c["id"], "class": c["class"], "problems": results[c["id"]][1]}) + "\n")
    print("%d passed, %d failed" % (len(results) - failed, failed))
    sys.exit(1 if failed or not results else 0)

if __name__ == "__main__":
    main()
