#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""model.py SENDMAIL CONF WORK SESSIONS [SEED]: random sessions of -bs from
fixed seeds.  A model of the rules, which knows nothing of the program, foretells
the code and status of every reply and the envelope and body of every message
that must stand in Queue, and that no other does: so no state of a refused
command can be left behind unseen."""

import random
import sys

from client import Failure, Session, queued, stored

MAX_SIZE = 20000
ERRORS_MAX = 20
TEXTS = [
    b"Subject: t\r\n\r\none\r\n",
    b"\r\nMAIL FROM:<evil@x.test>\r\nRCPT TO:<evil@y.test>\r\nDATA\r\n",
    b"no header\r\n",
    b"",
    b"Subject: t\r\n\r\n.\r\n..\r\n",
    b"Subject: t\r\n\r\na\nb\r\n",
    b"Subject: t\r\n\r\n" + b"x" * 900 + b"\r\n",
    b"Subject: t\r\n\r\n" + 25 * (b"y" * 900 + b"\r\n"),     # too large
    b"Subject: t\r\n\r\nnu\0l\r\nQUIT\r\n",                  # no message
    b"Received: a\r\nReceived: b\r\nReceived: c\r\n\r\n",   # a loop
]


class Model:
    """The rules.  Each method says what must be answered."""

    def __init__(self):
        self.extended = self.mail = self.chunks = self.ended = False
        self.errors = 0
        self.sender, self.rcpt, self.text = None, [], b""
        self.promised = []              # (envelope, body)

    def reset(self):
        self.mail = self.chunks = False
        self.sender, self.rcpt, self.text = None, [], b""

    def refuse(self, reply):
        self.errors += 1
        if self.errors >= ERRORS_MAX:
            reply = "421 4.7.0"
        self.ended = reply.startswith("421")
        return reply

    def hello(self, extended):
        self.reset()
        self.extended = extended
        return "250"

    def begin(self, sender, parameter, verdict):
        if self.mail:
            return self.refuse("503 5.5.1")
        if verdict == "bad address":
            return self.refuse("501 5.1.7")
        if parameter and not self.extended:
            return self.refuse("555 5.5.4")
        if verdict != "good":
            return self.refuse(verdict)
        self.mail = True
        self.sender = "<%s>%s" % (sender, parameter if
                                  parameter.startswith(" RET") else "")
        return "250 2.1.0"

    def to(self, rcpt, parameter, verdict):
        if self.chunks or not self.mail:
            return self.refuse("503 5.5.1")
        if verdict == "bad address":
            return self.refuse("501 5.1.3")
        if parameter and not self.extended:
            return self.refuse("555 5.5.4")
        if verdict != "good":
            return self.refuse(verdict)
        # A mailbox stands once, as it was named first.
        self.rcpt.append(("<%s>" % rcpt, parameter))
        return "250 2.1.5"

    def take(self):
        """The end of a text: its reply."""
        text = self.text
        head, _, body = text.partition(b"\r\n\r\n")
        if text.startswith(b"\r\n"):
            head, body = b"", text[2:]
        elif b":" not in text.split(b"\r\n")[0]:
            head, body = b"", text
        receivers, seen = "", set()
        for rcpt, parameter in self.rcpt:
            if rcpt not in seen:
                receivers += " | " + rcpt + parameter
            seen.add(rcpt)
        envelope = self.sender + receivers
        self.reset()
        if b"\0" in text:
            return "554 5.6.0"
        if head.count(b"Received:") > 2:
            return "554 5.4.6"
        if len(text) > MAX_SIZE:
            return "552 5.3.4"
        self.errors = 0
        body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self.promised.append((envelope, body))
        return "250 2.0.0"

    def may_data(self):
        return self.mail and self.rcpt and not self.chunks

    def chunk(self, octets, last, good):
        if not self.extended or not self.mail or not self.rcpt:
            return self.refuse("503 5.5.1")
        if not good:
            self.reset()
            return self.refuse("501 5.5.4")
        self.chunks = True
        self.text += octets
        # A NUL, or what is too large, is found in its chunk; a loop with the
        # end of the header.
        if b"\0" in self.text:
            self.reset()
            return "554 5.6.0"
        if not last and len(self.text) > MAX_SIZE:
            self.reset()
            return "552 5.3.4"
        return self.take() if last else "250 2.0.0"


def stuffed(text):
    lines = text.split(b"\r\n")
    return b"\r\n".join(b"." + x if x.startswith(b".") else x for x in lines)


class Random:
    """One random session: the octets, and the replies foretold."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.m = Model()
        self.sent, self.replies, self.commands = b"", [], []

    def say(self, line, reply):
        self.commands.append(line)
        self.sent += line.encode() + b"\r\n"
        self.replies.append(reply)

    def step(self):
        r, m = self.r, self.m
        sensible = ("hello" if not m.extended and r.random() < 0.3 else
                    "mail" if not m.mail else
                    "rcpt" if not m.rcpt or r.random() < 0.3 else
                    "bdat" if m.chunks or m.extended and r.random() < 0.5 else
                    "data")
        what = sensible if r.random() < 0.6 else r.choices(
            ["hello", "mail", "rcpt", "data", "bdat", "rset", "noop",
             "vrfy", "other", "quit"],
            [6, 16, 24, 14, 14, 5, 5, 3, 6, 0.4])[0]
        getattr(self, what)()

    def hello(self):
        extended = self.r.random() < 0.8
        if self.r.random() < 0.1:
            self.say("EHLO", self.m.refuse("501 5.5.4"))
            return
        self.say("%s c.test" % ("EHLO" if extended else "HELO"),
                 self.m.hello(extended))

    def mail(self):
        n = self.r.randrange(1000)
        sender = self.r.choice(["s%d@x.test" % n, "s%d@x.test" % n, ""])
        parameter, verdict = self.r.choice([
            ("", "good"), ("", "good"), ("", "good"),
            (" SIZE=100", "good"), (" BODY=8BITMIME", "good"),
            (" RET=HDRS", "good"), (" RET=FULL ENVID=e%d" % n, "good"),
            (" SIZE=20001", "552 5.3.4"), (" RET=X", "501 5.5.4"),
            (" SIZE=1 SIZE=1", "501 5.5.4"), (" SMTPUTF8", "555 5.5.4"),
            ("", "bad address")])
        path = "<%s" % sender if verdict == "bad address" else "<%s>" % sender
        self.say("MAIL FROM:%s%s" % (path, parameter),
                 self.m.begin(sender, parameter, verdict))

    def rcpt(self):
        rcpt = "r%d@y.test" % self.r.randrange(6)
        parameter, verdict = self.r.choice([
            ("", "good"), ("", "good"), ("", "good"), ("", "good"),
            (" NOTIFY=NEVER", "good"),
            (" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;z", "good"),
            (" NOTIFY=NEVER,DELAY", "501 5.5.4"), (" SIZE=1", "555 5.5.4"),
            ("", "bad address")])
        path = "<>" if verdict == "bad address" else "<%s>" % rcpt
        self.say("RCPT TO:%s%s" % (path, parameter),
                 self.m.to(rcpt, parameter, verdict))

    def data(self):
        if self.r.random() < 0.1:
            wrong = "501 5.5.4" if self.m.may_data() else "503 5.5.1"
            self.say("DATA now", self.m.refuse(wrong))
            return
        if not self.m.may_data():
            self.say("DATA", self.m.refuse("503 5.5.1"))
            return
        self.say("DATA", "354")
        self.m.text = self.r.choice(TEXTS)
        self.sent += stuffed(self.m.text) + b".\r\n"
        self.replies.append(self.m.take())

    def bdat(self):
        text = self.r.choice(TEXTS[:-1])
        # What is between the two limits depends on the header that is added.
        if len(self.m.text) > MAX_SIZE / 2:
            text = TEXTS[0]
        last = self.r.random() < 0.6
        good = self.r.random() < 0.95
        word = " LAST" if last else ""
        if not good:
            word = " FIRST"
        self.say("BDAT %d%s" % (len(text), word),
                 self.m.chunk(text, last, good))
        self.sent += text

    def rset(self):
        if self.r.random() < 0.1:
            self.say("RSET now", self.m.refuse("501 5.5.4"))
            return
        self.m.reset()
        self.say("RSET", "250 2.0.0")

    def noop(self):
        self.say("NOOP", "250 2.0.0")

    def vrfy(self):
        self.say("VRFY bob", "252 2.5.0")

    def other(self):
        line, reply = self.r.choice([
            ("FOO", "500 5.5.1"), ("STARTTLS", "502 5.5.1"),
            ("EXPN l", "502 5.5.1"), ("", "500 5.5.1"),
            ("NOOP \x01", "500 5.5.2"), ("QUIT now", "501 5.5.4"),
            ("NOOP " + "x" * 3000, "500 5.5.2")])
        self.say(line, self.m.refuse(reply))

    def quit(self):
        self.say("QUIT", "221 2.0.0")
        self.m.ended = True


def finals(lines):
    """The last line of each reply."""
    return [line for line in lines if line[3:4] != "-"]


def judge(story, lines, root):
    got = finals(lines)
    wanted = ["220"] + story.replies
    for i, (g, w) in enumerate(zip(got, wanted)):
        if not (g + " ").startswith(w + " "):
            said = ["connect"] + story.commands
            raise Failure("reply %d: want %s, got %s\n    %s" % (
                i, w, g, "\n    ".join(said[:i + 3])))
    if len(got) != len(wanted):
        raise Failure("%d replies, want %d" % (len(got), len(wanted)))
    found, ids = stored(root), queued(lines)
    if set(ids) != set(found):
        raise Failure("promised %s, stored %s" % (ids, list(found)))
    if len(ids) != len(story.m.promised):
        raise Failure("%d messages, want %d" % (len(ids),
                                                len(story.m.promised)))
    for id, (envelope, body) in zip(ids, story.m.promised):
        if str(found[id]) != envelope:
            raise Failure("want %s\n    got  %s" % (envelope, found[id]))
        if found[id].body != body:
            raise Failure("%s: want %r\n    got  %r" % (
                envelope, body, found[id].body))


def play(sendmail, conf, root, seed):
    story = Random(seed)
    length = story.r.randrange(10, 120)
    while len(story.commands) < length and not story.m.ended:
        story.step()
    session = Session(sendmail, conf, root, story.r.choice(
        ["pipe", "pipe", "pipe", "packet"]),
        ["-O", "MaxMessageSize=%d" % MAX_SIZE, "-O", "HopCount=2"])
    try:
        session.send(story.sent)
        lines = session.finish()
        judge(story, lines, root)
    finally:
        session.stop()
    return len(story.commands), len(story.m.promised)


def main():
    sendmail, conf, work, sessions = sys.argv[1:5]
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    passed = failed = commands = messages = 0
    for seed in range(first, first + int(sessions)):
        try:
            c, m = play(sendmail, conf, work + "/model", seed)
            passed, commands, messages = passed + 1, commands + c, messages + m
        except Failure as why:
            failed += 1
            print("FAILED smtpd/model seed %d: %s" % (seed, why))
    print("smtpd model: %d commands, %d messages" % (commands, messages))
    # A model that makes no mail shows nothing.
    if messages < int(sessions):
        failed += 1
        print("FAILED smtpd/model: too few messages")
    print("smtpd model: %d passed, %d failed" % (passed, failed))
    sys.exit(failed > 0)


main()
