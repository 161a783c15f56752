#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""kill.py SENDMAIL CONF WORK: three messages in one session of -bs, killed at
every system call, and with an error from every call that writes.  What was
promised by a 250 is in Queue and whole; what is more there can only be the one
whose 250 was still to be said; nothing was said that is no reply."""

import glob
import os
import re
import shutil
import subprocess
import sys

SENDMAIL, CONF, WORK = sys.argv[1:]
ROOT = WORK + "/kill"
ENV = {"PATH": os.environ["PATH"]}
if "ASAN_OPTIONS" in os.environ:
    # Leaks cannot be looked for under strace.
    ENV["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":detect_leaks=0"
else:
    ENV["ASAN_OPTIONS"] = "detect_leaks=0"
BEGIN = b"EHLO x\r\n"
ONE = b"MAIL FROM:<%s@x.test>\r\nRCPT TO:<b@y.test>\r\n"
DIALOGUE = (BEGIN + ONE % b"one" + b"DATA\r\nSubject: x\r\n\r\none\r\n.\r\n" +
            ONE % b"two" + b"BDAT 2\r\n\r\nBDAT 5 LAST\r\ntwo\r\n" +
            ONE % b"three" + b"DATA\r\n\r\nthree\r\n.\r\nQUIT\r\n")
SENDERS = ["one", "two", "three"]
# Everything from the greeting on; what is before it decides nothing.
CALLS = ["read", "write", "pwrite64", "fsync", "fdatasync", "rename",
         "renameat", "renameat2", "openat", "unlinkat", "close", "flock",
         "fstat", "newfstatat", "ppoll", "lseek"]
FAULTS = ["write", "pwrite64", "fsync", "fdatasync", "renameat", "renameat2",
          "flock"]
passed = failed = 0


def run(inject):
    shutil.rmtree(ROOT, ignore_errors=True)
    os.makedirs(ROOT + "/Queue")
    return subprocess.run(
        ["strace", "-f", "-qq", "-o", WORK + "/kill.strace", "-e",
         "trace=" + inject.split(":")[0], "-e", "inject=" + inject,
         SENDMAIL, "-C", CONF, "-O", "MailRoot=" + ROOT, "-O", "LogFile=",
         "-odq", "-bs"], input=DIALOGUE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=ENV, timeout=60, check=False)


def senders():
    """Of the messages in Queue, each of which must be whole."""
    found = []
    for path in glob.glob(ROOT + "/Queue/*.eml"):
        with open(path, "rb") as f:
            octets = f.read()
        sizes = re.match(rb"x-mailroot: 1 envelope=(\d+) message=(\d+)\r\n",
                         octets)
        sender = re.search(rb"\r\nx-sender: <(\w+)@x\.test>", octets)
        if not sizes or int(sizes[1]) + int(sizes[2]) != len(octets) or \
                not octets.endswith(b"\r\n" + sender[1] + b"\r\n"):
            return None
        found.append(sender[1].decode())
    return found


def judge(name, done, killed):
    global passed, failed
    # A reply may have been cut by the kill: it was not said.
    lines = done.stdout.split(b"\r\n")[:-1]
    n = sum(b"queued as" in x for x in lines)
    stored = senders()
    good = stored is not None and all(
        re.fullmatch(rb"\d\d\d[ -][ -~]*", x) for x in lines)
    if good and killed:
        good = set(SENDERS[:n]) <= set(stored) <= set(SENDERS[:n + 1])
    elif good:
        # Exactly what was promised, unless a reply could not be written.
        cut = b"\r\n221 " not in done.stdout
        good = n <= len(stored) <= n + cut and done.returncode == 0 and \
            not done.stderr
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED smtpd/kill: %s\n    stored %s, status %d\n    %s\n    %s"
              % (name, stored, done.returncode, done.stdout[-700:],
                 done.stderr[-300:]))


def sweep(call, what, most):
    for n in range(1, most):
        done = run("%s:%s:when=%d" % (call, what, n))
        with open(WORK + "/kill.strace", encoding="latin-1") as f:
            log = f.read()
        if "signal" in what:
            if done.returncode != 128 + 9 and done.returncode != -9:
                return n - 1
        elif "(INJECTED)" not in log:
            return n - 1
        judge("%s %s %d" % (call, what, n), done, "signal" in what)
    return most


def main():
    global failed
    cuts = sum(sweep(call, "signal=KILL", 400) for call in CALLS)
    faults = sum(sweep(call, "error=" + error, 100) for call in FAULTS
                 for error in ("EIO", "ENOSPC"))
    print("smtpd kill: %d kills, %d faults" % (cuts, faults))
    if cuts < 60 or faults < 20:
        failed += 1
        print("FAILED smtpd/kill: too few")
    print("smtpd kill: %d passed, %d failed" % (passed, failed))
    sys.exit(failed > 0)


main()
