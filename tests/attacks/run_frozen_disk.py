#!/usr/bin/env python3
"""A disk that stops answering under examples/server (Python 3.11 or later, standard library only).

    run_frozen_disk.py --server-cmd target/release/examples/server

The Maildir lies on a file system of its own, which fsfreeze stops. Clients that wait for it must keep no other client
waiting; when the disk answers again each message is stored once, or its client has heard that it is not. Needs root,
mkfs.ext4 and a loop device, and is left out where one of them is missing.
"""
import argparse, os, shlex, shutil, signal, smtplib, subprocess, sys, tempfile, threading, time

CLIENT_S = 60       # how long a client may wait for a frozen disk here
GREETED_S = 5       # how long any other client may wait


def quietly(*argv):
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class Disk:
    def __init__(self, folder):
        self.image, self.path = os.path.join(folder, "image"), os.path.join(folder, "disk")
        os.mkdir(self.path)
        with open(self.image, "wb") as f:
            f.truncate(64 << 20)
        self.is_mounted = (os.geteuid() == 0 and shutil.which("fsfreeze") and shutil.which("mkfs.ext4")
                           and quietly("mkfs.ext4", "-q", "-F", self.image)
                           and quietly("mount", "-o", "loop", self.image, self.path))

    def freeze(self):
        subprocess.check_call(["fsfreeze", "-f", self.path])

    def thaw(self):
        quietly("fsfreeze", "-u", self.path)

    def remove(self):
        if self.is_mounted:
            self.thaw()
            quietly("umount", self.path)


class Client(threading.Thread):
    """Sends one message, and keeps what came of it."""

    def __init__(self, address, octets):
        super().__init__(daemon=True)
        self.address, self.octets, self.code = address, octets, None
        self.start()

    def run(self):
        try:
            s = smtplib.SMTP(*self.address, timeout=CLIENT_S)
            line = b"x" * 70 + b"\r\n"
            s.sendmail("a@client.example", ["b@server.example"], b"Subject: x\r\n\r\n" + line * (self.octets // len(line)))
            self.code = 250
        except smtplib.SMTPResponseException as e:
            self.code = e.smtp_code
        except Exception as e:
            self.code = e


def expect(is_so, what):
    if not is_so:
        raise SystemExit("FAIL frozen-disk: %s" % (what,))


def others_are_served(address):
    """Each other client is greeted, and answered up to the content."""
    for _ in range(8):
        t = time.monotonic()
        codes = []
        try:
            s = smtplib.SMTP(*address, timeout=GREETED_S)
            codes.append(s.ehlo()[0])
            codes += [s.docmd(c)[0] for c in ("MAIL FROM:<>", "RCPT TO:<b@server.example>", "DATA")]
            s.close()
        except (OSError, smtplib.SMTPException) as e:
            codes.append(e)
        expect(codes == [250, 250, 250, 354] and time.monotonic() - t < GREETED_S, "another client heard %s" % codes)


def run(server, maildir, disk, address):
    new, tmp = (os.path.join(maildir, name) for name in ("new", "tmp"))
    disk.freeze()
    clients = [Client(address, octets) for octets in (200, 2_000_000, 200, 300_000)]
    time.sleep(1)
    others_are_served(address)
    expect(all(c.is_alive() for c in clients), "a message is answered for before it is stored: %s" % [c.code for c in clients])
    disk.thaw()
    for c in clients:
        c.join(CLIENT_S)
    expect([c.code for c in clients] == [250] * len(clients), "the clients heard %s" % [c.code for c in clients])
    expect(len(os.listdir(new)) == len(clients), "%d messages are stored" % len(os.listdir(new)))
    end = time.monotonic() + GREETED_S
    while os.listdir(tmp) and time.monotonic() < end:
        time.sleep(0.05)
    expect(not os.listdir(tmp), "in tmp/ there are %s" % os.listdir(tmp))

    disk.freeze()
    waiting = Client(address, 200)
    time.sleep(1)
    server.send_signal(signal.SIGTERM)
    waiting.join(20)        # 10 s, and a moment
    expect(waiting.code == 421, "after SIGTERM the client heard %s" % waiting.code)
    # A thread that is inside a call of a frozen file system cannot be ended.
    disk.thaw()
    expect(server.wait(10) == 0, "exit code %s" % server.returncode)
    expect(len(os.listdir(new)) == len(clients), "a message that was refused is stored")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--server-cmd", default="cargo run -q --release --all-features --example server --")
    opt = ap.parse_args()
    folder = tempfile.mkdtemp(prefix="smtp-frozen-")
    disk = Disk(folder)
    server = None
    try:
        if not disk.is_mounted:
            print("left out: frozen-disk needs root, fsfreeze, mkfs.ext4 and a loop device")
            return
        maildir = os.path.join(disk.path, "mail")
        server = subprocess.Popen(shlex.split(opt.server_cmd) + ["--listen", "127.0.0.1:0", "--quiet", "--threads", "2", "--maildir", maildir],
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        host, port = server.stdout.readline().decode().split()[-1].rsplit(":", 1)
        run(server, maildir, disk, (host, int(port)))
        print("frozen-disk    1/1")
    finally:
        disk.thaw()
        if server and server.poll() is None:
            server.kill()
            server.wait()
        disk.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
