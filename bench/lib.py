# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""What the measurements share: a place that goes away, the program under
measurement, the sink, Postfix, and tables.

Everything runs on loopback, below one temporary directory, and ends with the
script.  SENDMAIL names the program (build/sendmail); a copy of it is measured,
so that a build in between changes nothing.  PEERS is where tests/deps unpacked
the others (build/peers).  TMPDIR decides which file system is written to."""

import atexit
import glob
import os
import pwd
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
PEERS = os.environ.get("PEERS", TOP + "/build/peers")
ENV = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
LIMIT = 120             # seconds any single step may take

WORK = tempfile.mkdtemp(prefix="mailroot-bench.")
os.chmod(WORK, 0o755)   # Postfix's users pass through
_children = []


def _leave():
    for p in _children:
        if p.poll() is None:
            try:
                os.killpg(p.pid, signal.SIGTERM)
            except OSError:
                pass
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
    shutil.rmtree(WORK, ignore_errors=True)


def _late(_number, _frame):
    sys.exit("%s: time is up" % sys.argv[0])


atexit.register(_leave)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
signal.signal(signal.SIGALRM, _late)
signal.alarm(1800)


def start(command, **how):
    """A process of its own group, which ends with the script."""
    p = subprocess.Popen(command, start_new_session=True, **how)
    _children.append(p)
    return p


def build(name):
    """A small program of this directory."""
    source = "%s/%s.c" % (HERE, name)
    out = "%s/%s" % (WORK, name)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-std=gnu11",
                    "-D_GNU_SOURCE", "-o", out, source], check=True)
    return out


def skip(why):
    print("SKIPPED %s: %s" % (os.path.basename(sys.argv[0]), why))


def write(path, text):
    with open(path, "wb" if isinstance(text, bytes) else "w") as f:
        f.write(text)
    return path


def letter(octets, name="letter"):
    """A message of about so many octets."""
    line = b"x" * 70 + b"\n"
    text = b"Subject: measured\nFrom: alice@client.test\n" \
        b"To: bob@far.test\n\n"
    text += line * ((octets - len(text)) // len(line))
    return write("%s/%s" % (WORK, name), text)


# ---- ours -------------------------------------------------------------------

SENDMAIL = WORK + "/sendmail"
shutil.copy(os.environ.get("SENDMAIL", TOP + "/build/sendmail"), SENDMAIL)
ROOT = WORK + "/root"
CONF = WORK + "/mailroot.conf"


def conf(*lines):
    write(CONF, "\n".join(
        ["MailRoot = " + ROOT, "FullyQualifiedDomainName = client.test",
         "LogFile = %s/log" % WORK, *lines]) + "\n")


def ours(*words):
    return [SENDMAIL, "-C", CONF, *words]


def submit(*rcpts, size=2048):
    """One message into Queue, untouched by delivery; returns its file."""
    subprocess.run(ours("-odq", "-i", "-f", "alice@client.test", *rcpts),
                   stdin=open(letter(size, "one"), "rb"), env=ENV, check=True,
                   timeout=LIMIT)
    return glob.glob(ROOT + "/Queue/*.eml")


def fill(n, *rcpts, size=2048, due=0):
    """n messages in Queue, the recipients by turns: one of each is submitted,
    the others are its copies under other ids.  All are due in so many
    seconds."""
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + due))
    shutil.rmtree(ROOT, ignore_errors=True)
    done = 0
    for i, rcpt in enumerate(rcpts):
        old = set(glob.glob(ROOT + "/Queue/*.eml"))
        path, = set(submit(rcpt, size=size)) - old
        with open(path, "rb") as f:
            octets = f.read()
        folder, name = os.path.split(path)
        name = when + name[len(when):]
        os.rename(path, "%s/%s" % (folder, name))
        for k in range((n - i + len(rcpts) - 1) // len(rcpts) - 1):
            # The end of an id is random: any will do.
            other = "%s/%s%08d%s" % (folder, name[:-12], len(rcpts) * k + i,
                                     name[-4:])
            write(other, octets)
            done += 1
        done += 1
    have = len(os.listdir(ROOT + "/Queue"))
    if done != n or have != n:
        sys.exit("filled %d, have %d, want %d" % (done, have, n))


def waiting():
    return sum(n.endswith(".eml") for n in os.listdir(ROOT + "/Queue"))


# ---- processes --------------------------------------------------------------

_timed = None


class Run:
    """One run of a program: ms wall, ms cpu, KiB peak, status, when it
    began."""

    def __init__(self, line):
        wall, cpu, peak, status, begin = (int(w) for w in line.split())
        self.ms, self.cpu = wall / 1000, cpu / 1000
        self.kib, self.status, self.begin = peak, status, begin / 1e6


def timed(times, stdin, command, before=(), env=None, good=(0,)):
    """Runs it so often, one after another; see timed.c."""
    global _timed
    _timed = _timed or build("timed")
    p = subprocess.run([*before, _timed, str(times), stdin, *command],
                       env=env or ENV, stdout=subprocess.PIPE,
                       stderr=open(WORK + "/stderr", "w"), check=True,
                       timeout=LIMIT + 10)
    runs = [Run(line) for line in p.stdout.decode().splitlines()]
    bad = [r.status for r in runs if r.status not in good]
    if bad or len(runs) != times:
        sys.exit("%s: %d runs of %d, status %s: %s" %
                 (" ".join(command[:4]), len(runs), times, bad[:5],
                  open(WORK + "/stderr").read()[-500:]))
    return runs


# ---- the sink ---------------------------------------------------------------

class Sink:
    """sink.c.  expect(n), then something that sends n, then report()."""

    def __init__(self, ports=1, addresses=(), before=()):
        words = [*before, build("sink"), "-w", "1500"]
        words += ["-n", str(ports)] if ports else []
        for a in addresses:
            words += ["-l", a]
        self.p = start(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       bufsize=0)
        self.ports = self.line(10).split()[1:]
        self.port = self.ports[0]

    def line(self, seconds):
        until, text = time.monotonic() + seconds, b""
        while not text.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.p.stdout], [], [],
                                              left)[0]:
                return None
            got = self.p.stdout.read(1000)
            if not got:
                sys.exit("the sink ended")
            text += got
        return text.decode()

    def order(self, text):
        self.p.stdin.write(text.encode() + b"\n")

    def expect(self, n):
        self.order("expect %d" % n)

    def delay(self, ms):
        self.order("delay %d" % ms)

    def report(self, seconds=LIMIT):
        """Once the expected number has come; else what there is."""
        text = self.line(seconds)
        if text is None:
            self.order("report")
            text = self.line(5)
        w = text.split()
        return dict(zip(w[::2], map(float, w[1::2])))


# ---- peers ------------------------------------------------------------------

def peer(name, program):
    """Its tree and its libraries' path; None: not unpacked."""
    tree = "%s/%s" % (PEERS, name)
    if not os.path.exists("%s/%s" % (tree, program)):
        skip("%s is not unpacked: tests/deps peers" % name)
        return None, None
    where = {os.path.dirname(p) for p in
             glob.glob(tree + "/**/*.so*", recursive=True)}
    return tree, ":".join(sorted(where))


class Postfix:
    """A Postfix of our own below WORK, as tests/e2e/postfix.sh runs one.
    Its users are any two that every Debian has."""

    def __init__(self, port, transport=None, **settings):
        self.ok = False
        self.master = None
        self.tree, libraries = peer("postfix", "usr/lib/postfix/sbin/master")
        if not self.tree:
            return
        if os.getuid() != 0:
            skip("Postfix needs root")
            return
        self.dir = WORK + "/postfix"
        self.env = dict(ENV, MAIL_CONFIG=self.dir + "/etc",
                        LD_LIBRARY_PATH=libraries)
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.dir + "/spool",
            "data_directory": self.dir + "/data",
            "daemon_directory": self.tree + "/usr/lib/postfix/sbin",
            "command_directory": self.tree + "/usr/sbin",
            "sendmail_path": self.tree + "/usr/sbin/sendmail",
            "mailq_path": self.tree + "/usr/sbin/sendmail",
            "newaliases_path": self.tree + "/usr/sbin/sendmail",
            "meta_directory": self.dir + "/etc",
            "shlib_directory": self.tree + "/usr/lib/postfix",
            "import_environment":
                "MAIL_CONFIG LANG=C LD_LIBRARY_PATH=" + libraries,
            "export_environment": "MAIL_CONFIG LANG LD_LIBRARY_PATH",
            "maillog_file": self.dir + "/log",
            "maillog_file_prefixes": "/",
            "mail_owner": "news", "setgid_group": "games",
            "default_privs": "nobody",
            "myhostname": "client.test", "mydestination": "",
            "mynetworks": "127.0.0.0/8", "inet_protocols": "ipv4",
            "alias_maps": "", "alias_database": "",
            "local_recipient_maps": "",
            "disable_dns_lookups": "yes",
            "smtp_host_lookup": "native",
            "relayhost": "" if transport else "[127.0.0.1]:%s" % port,
            "minimal_backoff_time": "4000", "maximal_backoff_time": "4000",
            "message_size_limit": "0", "in_flow_delay": "0",
        }
        if transport:
            write_to = self.dir + "/etc/transport"
            self.settings["transport_maps"] = "texthash:" + write_to
        self.settings.update(settings)
        for d in ("etc", "data", "spool", "spool/pid"):
            os.makedirs("%s/%s" % (self.dir, d), exist_ok=True)
        news = pwd.getpwnam("news").pw_uid
        games = pwd.getpwnam("games").pw_gid
        os.chown(self.dir + "/data", news, -1)
        for d in ("active", "bounce", "corrupt", "defer", "deferred", "flush",
                  "hold", "incoming", "maildrop", "private", "public",
                  "saved", "trace"):
            os.makedirs("%s/spool/%s" % (self.dir, d), 0o700, exist_ok=True)
            os.chown("%s/spool/%s" % (self.dir, d), news, -1)
        for d, mode in ("maildrop", 0o730), ("public", 0o710):
            os.chown("%s/spool/%s" % (self.dir, d), news, games)
            os.chmod("%s/spool/%s" % (self.dir, d), mode)
        if transport:
            write(write_to, transport)
        self.write_main()
        write(self.dir + "/etc/master.cf", """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")
        self.ok = True

    def write_main(self, **more):
        write(self.dir + "/etc/main.cf", "".join(
            "%s = %s\n" % kv for kv in dict(self.settings, **more).items()))

    def start(self):
        self.master = start(
            [self.settings["daemon_directory"] + "/master",
             "-c", self.dir + "/etc", "-d"], env=self.env,
            stdin=subprocess.DEVNULL, stdout=open(self.dir + "/out", "w"),
            stderr=subprocess.STDOUT)
        until = time.monotonic() + 10
        while not os.path.exists(self.dir + "/spool/public/showq"):
            if time.monotonic() > until or self.master.poll() is not None:
                sys.exit("Postfix does not start: " +
                         open(self.dir + "/out").read())
            time.sleep(0.05)
        time.sleep(0.5)

    def stop(self):
        if self.master and self.master.poll() is None:
            os.killpg(self.master.pid, signal.SIGTERM)
            self.master.wait(10)
        self.master = None
        # Or start() takes them for its own.
        for folder in "public", "private":
            for path in self.files(folder):
                os.unlink(path)

    def command(self, name, *words):
        return ["%s/usr/sbin/%s" % (self.tree, name), *words]

    def sendmail(self, *words):
        return self.command("sendmail", "-i", "-f", "alice@client.test",
                            *words)

    def files(self, folder):
        return [os.path.join(d, f) for d, _, names in
                os.walk("%s/spool/%s" % (self.dir, folder)) for f in names]

    def fill(self, n, *rcpts, size=2048):
        """n messages in deferred, not due: one of each recipient comes the
        usual way and is put off, the others are its copies.  Postfix is not
        running before and after."""
        for folder in "incoming", "active", "deferred", "defer", "maildrop":
            for path in self.files(folder):
                os.unlink(path)
        self.write_main(defer_transports="smtp")
        self.start()
        done = []
        for rcpt in rcpts:
            subprocess.run(self.sendmail(rcpt), env=self.env, check=True,
                           stdin=open(letter(size, "one"), "rb"))
            until = time.monotonic() + 20
            while len(self.files("deferred")) < len(done) + 1:
                if time.monotonic() > until:
                    sys.exit("Postfix does not put off")
                time.sleep(0.02)
            done += set(self.files("deferred")) - set(done)
        time.sleep(0.3)
        self.stop()
        self.write_main()
        news = pwd.getpwnam("news").pw_uid
        later = time.time() + 3000
        for i, path in enumerate(done):
            with open(path, "rb") as f:
                octets = f.read()
            for k in range((n - i + len(done) - 1) // len(done) - 1):
                # Folders go by the first letter.
                name = "%X%08X" % (k % 16, len(done) * k + i)
                folder = "%s/spool/deferred/%s" % (self.dir, name[0])
                os.makedirs(folder, 0o700, exist_ok=True)
                os.chown(folder, news, -1)
                other = write("%s/%s" % (folder, name), octets)
                os.chown(other, news, -1)
                os.chmod(other, 0o700)
                os.utime(other, (later, later))
        have = len(self.files("deferred"))
        if have != n:
            sys.exit("Postfix has %d, want %d" % (have, n))

    def flush(self):
        subprocess.run(self.command("postqueue", "-f"), env=self.env,
                       check=True, timeout=LIMIT)


# ---- tables -----------------------------------------------------------------

class Table:
    """Rows by name, each a list of figures of equal rounds.  The ratio is the
    median of the rounds' own ratios to the peer's row."""

    def __init__(self, title, unit, peer, form="%.1f"):
        self.title, self.unit, self.form = title, unit, form
        self.peer, self.rows, self.notes = peer, {}, {}

    def add(self, row, figure, note=""):
        self.rows.setdefault(row, []).append(figure)
        self.notes.setdefault(row, []).append(note)

    def show(self):
        print("\n%s" % self.title)
        print("%-34s %10s %21s %7s  %s" %
              ("", "median", "min - max", "ratio", "rounds"))
        base = self.rows.get(self.peer)
        for name, figures in self.rows.items():
            f = self.form
            span = "%s - %s" % (f % min(figures), f % max(figures))
            ratio = ""
            if base and len(base) == len(figures):
                ratio = "%.2f" % statistics.median(
                    a / b for a, b in zip(figures, base))
            print("%-34s %10s %21s %7s  %d  %s" %
                  (name, f % statistics.median(figures), span, ratio,
                   len(figures), sorted(self.notes[name])[
                       len(figures) // 2]))
        print("(%s%s)" % (self.unit, "; ratio to: " + self.peer
                          if base else ""))
        sys.stdout.flush()


def rounds(default):
    return int(os.environ.get("ROUNDS", default))
