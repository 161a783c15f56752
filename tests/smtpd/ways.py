#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""ways.py SENDMAIL CONF WORK PORT SINK: what -bs does in the hands of those who
start it: inetd, systemd, programs with one pipe for both outputs, with closed
descriptors, without rights, without room; and how long it keeps them waiting.
At PORT a server answers the end of a message after three seconds; what it took
is in SINK."""

import glob
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time

SENDMAIL, CONF, WORK, PORT, SINK = sys.argv[1:]
ROOT = WORK + "/ways"
passed = failed = 0
ENV = {k: os.environ[k] for k in ("PATH", "ASAN_OPTIONS") if k in os.environ}
MAIL = (b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"
        b"Subject: x\r\n\r\ntext\r\n.\r\n")
HELO = b"HELO client.test\r\n"


def check(name, good, more=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED smtpd/ways: %s\n    %s" % (name, more))


def skip(why):
    print("SKIPPED smtpd/ways: %s" % why)


def command(*args, conf=CONF):
    return [SENDMAIL, "-C", conf, "-O", "MailRoot=" + ROOT, "-bs", *args]


def fresh():
    shutil.rmtree(ROOT, ignore_errors=True)


def messages(folder="Queue"):
    return len(glob.glob(ROOT + "/" + folder + "/*.eml"))


def rest():
    """Everything below MailRoot that is a file."""
    return [f for d, _, fs in os.walk(ROOT) for f in fs]


def codes(octets):
    return re.findall(rb"^(\d\d\d)(?: |$)", octets, re.M)


def all_smtp(octets):
    return all(re.fullmatch(rb"\d\d\d[ -][ -~]*\r", line)
               for line in octets.split(b"\n")[:-1]) and \
        octets.endswith(b"\n")


def whole(sock):
    sock.settimeout(20)
    octets = b""
    while more := sock.recv(65536):
        octets += more
    return octets


TWO = [b"220", b"250", b"250", b"250", b"354", b"250", b"250", b"250",
       b"354", b"250", b"221"]


def inetd(blocking=True):
    """One socket as 0, 1 and 2; Node's do not block."""
    fresh()
    ours, theirs = socket.socketpair()
    theirs.setblocking(blocking)
    process = subprocess.Popen(command("-odq"), stdin=theirs, stdout=theirs,
                               stderr=theirs, env=ENV)
    theirs.close()
    ours.sendall(HELO + MAIL + MAIL + b"QUIT\r\n")
    octets = whole(ours)
    check("inetd: replies", codes(octets) == TWO and all_smtp(octets), octets)
    check("inetd: status", process.wait(20) == 0)
    check("inetd: stored", messages() == 2, rest())


def activated():
    """A connection as descriptor 3, as systemd passes it."""
    fresh()
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    # The shell's process becomes ours, and so its number is right.
    with open(WORK + "/activated", "wb") as out:
        process = subprocess.Popen(
            ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh",
             *command("-odq")], stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, env=ENV, close_fds=False,
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
    theirs.close()
    ours.sendall(HELO + MAIL + MAIL + b"QUIT\r\n")
    octets = whole(ours)
    check("LISTEN_FDS: replies", codes(octets) == TWO and all_smtp(octets),
          octets)
    check("LISTEN_FDS: status", process.wait(20) == 0)
    check("LISTEN_FDS: stored", messages() == 2, rest())
    check("LISTEN_FDS: its own output is not used",
          os.path.getsize(WORK + "/activated") == 0)


def run(octets, *args, conf=CONF, **more):
    """The session with one pipe for both outputs: status and what came."""
    done = subprocess.run(command(*args, conf=conf), input=octets,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=ENV, timeout=60, check=False, **more)
    return done.returncode, done.stdout


def descriptors():
    for n in range(8):
        fresh()
        closed = [fd for fd in (0, 1, 2) if n & 1 << fd]
        process = subprocess.Popen(
            command("-odq"), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV,
            preexec_fn=lambda closed=closed: [os.close(fd) for fd in closed])
        _, error = process.communicate(HELO + MAIL, timeout=20)
        check("closed %s: status" % closed, process.returncode == 0)
        check("closed %s: silent" % closed, not error, error)
        check("closed %s: stored" % closed,
              messages() == (0 if 0 in closed else 1), rest())
        for path in glob.glob(ROOT + "/Queue/*"):
            with open(path, "rb") as f:
                check("closed %s: the file is a message" % closed,
                      f.read(12) == b"x-mailroot: ")


def storage():
    fresh()
    status, octets = run(HELO + MAIL.split(b"RCPT")[0] +
                         b"NOOP\r\nQUIT\r\n", "-O",
                         "MailRoot=/proc/nowhere")
    check("nowhere to keep it", status == 0 and octets.split(b"\r\n")[2]
          .startswith(b"451 4.3.0 no message can be kept in /proc/nowhere"),
          octets)
    check("and the session goes on", codes(octets) ==
          [b"220", b"250", b"451", b"250", b"221"] and all_smtp(octets),
          octets)

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))
    text = b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n\r\n" + \
        10000 * (b"x" * 60 + b"\r\n") + b".\r\n"
    status, octets = run(HELO + text + MAIL + b"QUIT\r\n", "-odq",
                         preexec_fn=small)
    check("the file may not grow", status == 0 and
          b"\r\n451 4.3.0 cannot write the message" in octets, octets)
    check("and the next message may", messages() == 1 and all_smtp(octets)
          and not any(f.startswith(".tmp") for f in rest()), rest())


def full_disk():
    """A file system of 256 kB of its own."""
    fresh()
    script = 'mount -t tmpfs -o size=256k none "$1" && shift && exec "$@"'
    space = WORK + "/small"
    os.makedirs(space, exist_ok=True)
    able = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", space,
                           "true"], stderr=subprocess.DEVNULL, check=False)
    if able.returncode:
        skip("no mount namespace: a full disk")
        return
    text = b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n\r\n" + \
        10000 * (b"x" * 60 + b"\r\n") + b".\r\n"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", space,
         *command("-odq", "-O", "MailRoot=" + space)],
        input=HELO + text + MAIL + b"QUIT\r\n", stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=ENV, timeout=60, check=False)
    check("a full disk", codes(done.stdout) == TWO[:5] + [b"452"] +
          TWO[6:] and b"452 4.3.1 " in done.stdout and
          all_smtp(done.stdout), done.stdout)


def no_rights():
    """Another user, who may write to Pickup and nothing else; and with
    borrowed rights no queue run."""
    fresh()
    if os.getuid() != 0:
        skip("not root: Pickup, borrowed rights")
        return
    binary = WORK + "/open/sendmail"
    os.makedirs(WORK + "/open", exist_ok=True)
    shutil.copy(SENDMAIL, binary)
    with open(CONF, encoding="ascii") as old, \
            open(WORK + "/open/conf", "w", encoding="ascii") as new:
        new.writelines(line for line in old if "LogFile" not in line)
    os.chmod(WORK, 0o711)
    os.chmod(WORK + "/open", 0o755)
    os.chmod(WORK + "/open/conf", 0o644)
    os.makedirs(ROOT + "/Pickup")
    os.chmod(ROOT, 0o755)
    os.chmod(ROOT + "/Pickup", 0o3733)
    os.makedirs(ROOT + "/Queue", 0o700)
    done = subprocess.run(
        [binary, "-C", WORK + "/open/conf", "-O", "MailRoot=" + ROOT,
         "-bs"], input=HELO + MAIL + MAIL + b"QUIT\r\n",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENV,
        timeout=60, user=65534, group=65534, extra_groups=[], check=False)
    check("Pickup: replies", codes(done.stdout) == TWO and
          all_smtp(done.stdout), done.stdout)
    check("Pickup: stored", messages("Pickup") == 2 and
          messages("Queue") == 0, rest())
    os.chown(binary, 0, 1)
    os.chmod(binary, 0o2755)
    done = subprocess.run(
        [binary, "-bs"], input=b"EHLO x\r\nETRN y.test\r\nQUIT\r\n",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENV,
        timeout=60, user=65534, group=65534, extra_groups=[], check=False)
    if b"\r\n250 2.0.0 a queue run" in done.stdout:
        skip("set-group-id has no effect here: ETRN with borrowed rights")
    else:
        check("ETRN is not for everybody", codes(done.stdout) ==
              [b"220", b"250", b"459", b"221"], done.stdout)


def settings():
    """No session without settings, and that in the client's language."""
    bad = WORK + "/bad.conf"
    with open(bad, "w", encoding="ascii") as f:
        f.write("NoSuchKey = 1\n")
    status, octets = run(b"", conf=bad)
    check("bad settings", status == 78 and
          re.fullmatch(rb"421 4\.3\.5 [ -~]*NoSuchKey[ -~]*\r\n", octets),
          octets)


def many_recipients():
    fresh()
    with open(WORK + "/many", "wb") as f:
        f.write(b"MAIL FROM:<a@x.test>\r\n")
        f.writelines(b"RCPT TO:<r%d@y.test>\r\n" % i for i in range(10001))
        f.write(b"DATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n")
    with open(WORK + "/many", "rb") as f:
        done = subprocess.run(command("-odq"), stdin=f, env=ENV,
                              stdout=subprocess.PIPE, timeout=60, check=False)
    check("10,001 recipients", codes(done.stdout) == [b"220"] +
          10001 * [b"250"] + [b"452", b"354", b"250", b"221"] and
          b"\r\n452 4.5.3 " in done.stdout, done.stdout[-400:])
    for path in glob.glob(ROOT + "/Queue/*.eml"):
        with open(path, "rb") as f:
            check("10,000 of them are stored",
                  f.read().count(b"\r\nx-receiver: ") == 10000)


def large():
    """20 MB as DATA and as BDAT: the same octets."""
    text = b"Subject: x\r\n\r\n" + 300000 * (b"." + b"y" * 66 + b"\r\n")
    data = b"DATA\r\n" + text.replace(b"\n.", b"\n..") + b".\r\n"
    begin = b"EHLO x\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
    for name, octets in (("DATA", data), ("BDAT", b"BDAT %d LAST\r\n" %
                                          len(text) + text)):
        fresh()
        begun = time.monotonic()
        status, out = run(begin + octets + b"QUIT\r\n", "-odq")
        took = time.monotonic() - begun
        check("20 MB by %s" % name, status == 0 and messages() == 1, out)
        check("20 MB by %s in %.1f s" % (name, took), took < 10)
        for path in glob.glob(ROOT + "/Queue/*.eml"):
            with open(path, "rb") as f:
                check("20 MB by %s: the body" % name, f.read()
                      .endswith(text[12:]))


def wait_for(count, left, seconds):
    """So many in the sink, so many in Queue."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if len(glob.glob(SINK + "/*.msg")) >= count and messages() == left:
            return True
        time.sleep(0.05)
    return False


def soon():
    """The server needs three seconds for each message, and nobody waits."""
    fresh()
    process = subprocess.Popen(
        command("-O", "SmartHost=127.0.0.1:" + PORT), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
    out, slowest = process.stdout, 0
    process.stdin.write(HELO)
    process.stdin.flush()
    out.readline()
    out.readline()
    for _ in range(3):
        begun = time.monotonic()
        process.stdin.write(MAIL)
        process.stdin.flush()
        replies = [out.readline() for _ in range(4)]
        slowest = max(slowest, time.monotonic() - begun)
        check("250 to the end of data", replies[3].startswith(
            b"250 2.0.0 queued as "), replies)
    check("250 within a second (%.3f s)" % slowest, slowest < 1)
    check("they are delivered while the session is open", wait_for(3, 0, 30))
    begun = time.monotonic()
    process.stdin.write(MAIL + b"QUIT\r\n")
    process.stdin.close()
    octets = out.read()         # its end: no child holds the descriptor
    error = process.stderr.read()
    took = time.monotonic() - begun
    check("no child is waited for (%.3f s)" % took, took < 1.5 and
          process.wait(20) == 0)
    check("nothing but replies", all_smtp(octets) and not error, error)
    check("the last is delivered too", wait_for(4, 0, 30))


def etrn():
    """A queue run takes what another session left for that domain."""
    fresh()
    status, octets = run(HELO + MAIL + MAIL.replace(b"y.test", b"z.test") +
                         MAIL.replace(b"y.test", b"sub.z.test") +
                         b"QUIT\r\n", "-odq")
    check("ETRN: three messages wait", status == 0 and messages() == 3, octets)
    had = len(glob.glob(SINK + "/*.msg"))
    for node, left in ((b"y.test", 2), (b"@z.test", 0)):
        status, octets = run(b"EHLO x\r\nETRN %s\r\nQUIT\r\n" % node, "-O",
                             "SmartHost=127.0.0.1:" + PORT)
        check("ETRN: reply", status == 0 and
              b"\r\n250 2.0.0 a queue run has begun\r\n221 " in octets, octets)
        check("ETRN: delivered", wait_for(had + 3 - left, left, 30))


for test in (inetd, lambda: inetd(False), activated, descriptors, storage, full_disk, no_rights,
             settings, many_recipients, large, soon, etrn):
    test()
print("smtpd ways: %d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
