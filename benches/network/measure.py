#!/usr/bin/env python3
"""measure.py ROW...: calls, receivers, senders, idle, storing, tls (all without an argument). See README.md of this folder.

Loopback only; every load is bounded in count and in time. CPU time is that of the program, user and system; ratios are
medians of ratios within one round, so that other load meets all alike."""
import os, re, resource, shlex, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "target"))
NETWORK = os.path.join(TARGET, "release", "network")
EXAMPLE = os.environ.get("ESMTP_EXAMPLES", os.path.join(HERE, "../../target/release/examples")) + "/server"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SMTPLIB = """import smtplib, sys
port, messages, octets = map(int, sys.argv[1:])
content = b"From: ann@example.org\\r\\nTo: bob@example.net\\r\\nSubject: x\\r\\n\\r\\n"
while len(content) < octets: content += b"X" * 78 + b"\\r\\n"
session = smtplib.SMTP("127.0.0.1", port, local_hostname="client.example.org")
for _ in range(messages): session.sendmail("ann@example.org", ["bob@example.net"], content)
session.quit()"""
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def family(pid):
    """The process and its descendants."""
    parents = {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(p)] = int(open("/proc/%s/stat" % p).read().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found = [pid]
    for p in found:
        found += [child for child, parent in parents.items() if parent == p]
    return found


def cpu(pid):
    """CPU seconds of a process, its threads and the children that it has waited for."""
    try:
        ticks = sum(map(int, open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[11:15])) / TICK
        exact = sum(int(open("/proc/%d/task/%s/schedstat" % (pid, t)).read().split()[0]) for t in os.listdir("/proc/%d/task" % pid)) / 1e9
        return max(ticks, exact)
    except OSError:
        return 0.0


class Server:
    """A server on a port of its own, stopped at the end of a `with`."""

    def __init__(self, command, core=None, **more):
        self.port = free_port()
        pin = [] if core is None else ["taskset", "-c", str(core)]
        self.process = subprocess.Popen(pin + shlex.split(command.format(port=self.port)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        for _ in range(400):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                    s.recv(200)
                    s.sendall(b"QUIT\r\n")
                    s.recv(200)
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("does not start: " + command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def source(port, messages, octets, connections, *more, core=None):
    pin = [] if core is None else ["taskset", "-c", str(core)]
    load = pin + ["smtp-source", "-f", "ann@example.org", "-t", "bob@example.net", "-s", str(connections), "-l", str(octets), "-m", str(messages), *more, "127.0.0.1:%d" % port]
    subprocess.run(load, check=True, stderr=subprocess.DEVNULL, timeout=300)


def has(program):
    return shutil.which(program) or os.path.exists(program)


def table(*heads):
    print("\n| " + " | ".join(heads) + " |\n|---|" + "---:|" * (len(heads) - 1), flush=True)


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


# ---------------------------------------------------------------------------------------------- receivers
def receivers():
    """name: (command, messages of 4 KiB, messages of 1 MiB)"""
    all_of_them = {
        "esmtp": (NETWORK + " receive esmtp {port}", 10000, 800),
        "limit (no validation)": (NETWORK + " receive limit {port}", 10000, 800),
        "mailin-embedded": (NETWORK + " receive mailin {port}", 5000, 400),
        "smtp-sink": ("smtp-sink -u nobody -m 6000 127.0.0.1:{port} 1000", 5000, 80),
    }
    if subprocess.run([NETWORK, "receive", "mailin", "x"], capture_output=True, text=True).stderr.find("MESSAGES") > 0:
        del all_of_them["mailin-embedded"]  # built without the feature
    return all_of_them


def measure_receivers():
    table("messages a CPU second, 10 connections", "octets", "median", "esmtp is")
    for octets in (4096, 1 << 20):
        figures = {}
        programs = list(receivers().items())
        for turn in range(ROUNDS):
            for name, (command, small, large) in programs[turn % len(programs):] + programs[:turn % len(programs)]:
                messages = small if octets < 100000 else large
                with Server(command, core=1) as server:
                    source(server.port, max(10, messages // 10), octets, 10, "-d", core=0)
                    before = cpu(server.process.pid)
                    source(server.port, messages, octets, 10, "-d", core=0)
                    figures.setdefault(name, []).append(messages / (cpu(server.process.pid) - before))
        for name, speeds in figures.items():
            ratio = statistics.median(own / other for own, other in zip(figures["esmtp"], speeds))
            row(name, str(octets), "%.0f" % statistics.median(speeds), "%.2f x" % ratio)


def measure_calls():
    """System calls a message: of a receiver, and of a sender in lock step."""
    table("system calls a message", "reads", "writes", "epoll_wait", "eventfd writes", "futex", "all")
    work = tempfile.mkdtemp()

    def print_counts(title, trace, messages):
        counts = {}
        for line in open(trace):
            m = re.match(r" *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)$", line)
            if m and m[2] != "total":
                counts[m[2]] = int(m[1])
        of = lambda *names: "%.2f" % (sum(counts.get(n, 0) for n in names) / messages)
        row(title, of("read", "recvfrom", "readv", "recvmsg"), of("writev", "sendto", "sendmsg"), of("epoll_wait", "poll", "epoll_pwait"), of("write"), of("futex"), of(*counts))

    for name, (command, _, _) in receivers().items():
        for octets, messages, connections in ((4096, 1000, 10), (4096, 1000, 1), (1 << 20, 600, 10)):
            with Server(command) as server:
                trace = work + "/trace"
                tracer = subprocess.Popen(["strace", "-f", "-c", "-o", trace, "-p", str(server.process.pid)], stderr=subprocess.DEVNULL)
                time.sleep(1)
                source(server.port, messages, octets, connections, "-d")
                tracer.send_signal(signal.SIGINT)
                tracer.wait()
                print_counts("receiving %d octets, %d connections: %s" % (octets, connections, name), trace, messages)
    with Server(NETWORK + " receive limit {port}") as server:
        for way in ("lock-step", "session", "queue"):
            trace = work + "/trace"
            subprocess.run(["strace", "-f", "-c", "-o", trace, NETWORK, "send", way, str(server.port), "1000", "4096"], check=True)
            print_counts("sending 4096 octets: esmtp, " + way, trace, 1000)
    shutil.rmtree(work)


# ------------------------------------------------------------------------------------------------ senders
def measure_senders():
    """Messages of 4 KiB over one connection, to a receiver with PIPELINING (limit), and to one with CHUNKING, too (esmtp)."""
    smtplib = tempfile.NamedTemporaryFile("w", suffix=".py")
    smtplib.write(SMTPLIB)
    smtplib.flush()
    table("messages of 4 KiB a second", "to", "a second", "x smtplib", "a CPU second", "x smtplib")
    for receiver in ("limit", "esmtp"):
        wall, spent = {}, {}
        ways = ("session", "lock-step", "queue", "smtplib")
        with Server(NETWORK + " receive %s {port}" % receiver) as server:
            for turn in range(ROUNDS):
                for way in ways[turn % 4:] + ways[:turn % 4]:
                    messages = {"queue": 10000, "session": 4000}.get(way, 2000)
                    command = [NETWORK, "send", way] if way != "smtplib" else ["python3", smtplib.name]
                    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
                    subprocess.run(command + [str(server.port), str(messages), "4096"], check=True)
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    wall.setdefault(way, []).append(messages / (time.monotonic() - start))
                    spent.setdefault(way, []).append(messages / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
        for way in ways:
            ratio = lambda of: "%.2f" % statistics.median(a / b for a, b in zip(of[way], of["smtplib"]))
            row(way, receiver, "%.0f" % statistics.median(wall[way]), ratio(wall), "%.0f" % statistics.median(spent[way]), ratio(spent))


# --------------------------------------------------------------------------------------------------- idle
def measure_idle():
    connections = int(os.environ.get("CONNECTIONS", "5000"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    table("octets of an idle connection (anonymous memory), %d" % connections, "octets")

    def memory(pid):
        return int(re.search(r"RssAnon:\s+(\d+)", open("/proc/%d/status" % pid).read())[1]) * 1024

    for name, (command, _, _) in receivers().items():
        if name in ("mailin-embedded", "smtp-sink"):
            continue  # a thread, or 256 KiB for each
        with Server(command) as server:
            before, held = memory(server.process.pid), []
            for _ in range(connections):
                held.append(s := socket.create_connection(("127.0.0.1", server.port), 30))
                s.recv(200)
                s.sendall(b"EHLO client.example.org\r\n")
                s.recv(1000)
            time.sleep(1)
            row(name, "%.0f" % ((memory(server.process.pid) - before) / connections))
            for s in held:
                s.close()


# ------------------------------------------------------------------------------------------------ storing
class Postfix(Server):
    """An instance of its own. It answers 250 when cleanup has synced the message to the queue; `virtual` stores it in a Maildir."""

    def __init__(self, place, delivers):
        self.place = place
        conf, queue, data, mail = (os.path.join(place, x) for x in ("etc", "queue", "data", "mail"))
        for folder in (conf, queue, data, mail):
            os.makedirs(folder, exist_ok=True)
        shutil.chown(data, "postfix")
        shutil.chown(mail, "nobody")
        os.chmod(place, 0o755)
        self.port = free_port()
        open(conf + "/main.cf", "w").write(
            "compatibility_level = 3.6\nqueue_directory = %s\ndata_directory = %s\nmyhostname = mx.example.net\n" % (queue, data)
            + "command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n"
            + "mydestination =\nalias_maps =\nlocal_recipient_maps =\nmynetworks = 127.0.0.0/8\nmaillog_file = /dev/null\nmaillog_file_prefixes = /\n"
            + "smtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_client_connection_rate_limit = 0\nsmtpd_client_connection_count_limit = 0\n"
            + "in_flow_delay = 0\nlocal_header_rewrite_clients =\ndefault_transport = virtual\nvirtual_mailbox_domains =\nvirtual_mailbox_base = %s\n" % mail
            + "virtual_mailbox_maps = static:box/\nvirtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\nvirtual_minimum_uid = 1\n"
            + "virtual_mailbox_limit = 0\nmailbox_size_limit = 0\n" + ("" if delivers else "smtpd_recipient_restrictions = check_client_access static:HOLD, permit_mynetworks, reject\n"))
        services = (("pickup", "60", 1, "pickup"), ("cleanup", "-", 0, "cleanup"), ("qmgr", "300", 1, "qmgr"), ("rewrite", "-", "-", "trivial-rewrite"),
                    ("bounce", "-", 0, "bounce"), ("defer", "-", 0, "bounce"), ("trace", "-", 0, "bounce"), ("proxymap", "-", "-", "proxymap"),
                    ("error", "-", "-", "error"), ("retry", "-", "-", "error"), ("anvil", "-", 1, "anvil"), ("scache", "-", 1, "scache"), ("virtual", "-", "-", "virtual"))
        open(conf + "/master.cf", "w").write("127.0.0.1:%d inet n - n - 200 smtpd\npostlog unix-dgram n - n - 1 postlogd\n" % self.port
            + "".join("%s unix %s %s n %s %s %s\n" % (name, "n" if name in ("pickup", "cleanup", "qmgr") else "-", "n" if name == "virtual" else "-", wake, most, program)
                      for name, wake, most, program in services))
        self.control = ["postfix", "-c", conf]
        subprocess.run(self.control + ["start"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = int(open(queue + "/pid/master.pid").read())

    def __exit__(self, *_):
        subprocess.run(self.control + ["stop"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure_storing():
    """Messages of 4 KiB a second that are on the disk before they are accepted: wall time, for the disk counts."""
    place = os.environ.get("STORE", "/var/tmp")
    table("stored messages a second, 4 KiB", "connections", "a second", "esmtp is")
    for connections in (1, 10, 100):
        figures = {}
        ways = ("esmtp --maildir", "Postfix, queue", "Postfix, queue and Maildir")
        messages = {1: 300, 10: 1000, 100: 2000}[connections]
        for turn in range(ROUNDS):
            for way in ways[turn % 3:] + ways[:turn % 3]:
                work = tempfile.mkdtemp(dir=place)
                try:
                    if way.startswith("esmtp"):
                        server = Server(EXAMPLE + " --listen 127.0.0.1:{port} --quiet --maildir " + work + "/mail")
                    else:
                        server = Postfix(work, way.endswith("Maildir"))
                    with server:
                        source(server.port, max(connections, 20), 4096, connections, "-d")
                        start = time.monotonic()
                        source(server.port, messages, 4096, connections, "-d")
                        if way.endswith("and Maildir"):
                            new = work + "/mail/box/new"
                            for _ in range(600):
                                if len(os.listdir(new)) >= messages + max(connections, 20):
                                    break
                                time.sleep(0.05)
                        figures.setdefault(way, []).append(messages / (time.monotonic() - start))
                finally:
                    shutil.rmtree(work, ignore_errors=True)
        for way in ways:
            ratio = statistics.median(own / other for own, other in zip(figures[ways[0]], figures[way]))
            row(way, str(connections), "%.0f" % statistics.median(figures[way]), "%.2f x" % ratio)


def measure_tls():
    print(flush=True)
    subprocess.run([NETWORK, "tls", str(10 * ROUNDS)], check=True)


def main():
    rows = {name[8:]: act for name, act in globals().items() if name.startswith("measure_")}
    for name in sys.argv[1:] or rows:
        if name not in rows:
            raise SystemExit("no such row: %s; there are: %s" % (name, " ".join(rows)))
        rows[name]()


main()
