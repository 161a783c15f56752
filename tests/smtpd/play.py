#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""play.py SENDMAIL CONF WORK DIRECTORY: every dialogue of the directory, with
the real program, in three ways: group by group, octet by octet, and all in one
piece; and where the file says "anywhere" cut off behind each of its octets.
The words are explained in tests/smtpd/README."""

import glob
import os
import re
import sys

from client import Failure, Session, queued, stored

passed = failed = 0


def octets(text):
    """Escapes: \\r \\n \\\\ \\xHH and \\{300 x}."""
    def one(m):
        s = m[0]
        if s[1] == "{":
            return m[2] * int(m[1])
        if s[1] == "x":
            return chr(int(s[2:], 16))
        return {"r": "\r", "n": "\n", "\\": "\\"}[s[1]]
    return re.sub(r"\\(?:\{(\d+) ([^}]+)\}|x[0-9a-fA-F]{2}|[rn\\])", one,
                  text).encode("latin-1")


class Story:
    def __init__(self, path):
        self.name = os.path.basename(path)
        self.args, self.steps, self.stored = [], [], []
        self.anywhere = False
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                line = line.rstrip("\n")
                if line.strip() and not line.startswith("#"):
                    self.take(line, number)

    def take(self, line, number):
        word, _, rest = line.partition(" ")
        if word == "set":
            self.args += ["-O", rest]
        elif word == "anywhere":
            self.anywhere = True
        elif word in ("C:", "C-lf:", "C-raw:"):
            end = {"C:": b"\r\n", "C-lf:": b"\n", "C-raw:": b""}[word]
            self.steps.append(("C", octets(rest) + end))
        elif word == "S:":
            self.steps.append(("S", rest))
        elif word in ("close", "signal"):
            self.steps.append((word, rest))
        elif word == "=":
            self.stored.append([rest, [], b""])
        elif word == "=h":
            self.stored[-1][1].append(rest)
        elif word == "=b":
            self.stored[-1][2] += octets(rest) + b"\r\n"
        else:
            raise Failure("line %d: what is %s?" % (number, word))

    def said(self):
        return b"".join(x for what, x in self.steps if what == "C")


def fits(line, wanted):
    pattern = re.escape(wanted).replace(r"\*", ".*")
    return line is not None and re.fullmatch(pattern, line)


def dialogue(session, story, lines):
    group = b""
    for what, x in story.steps + [("end", "")]:
        if what == "C":
            group += x
            continue
        if group:
            session.send(group)
        group = b""
        if what == "S":
            lines.append(session.line())
            if not fits(lines[-1], x):
                raise Failure("want %s\n    got  %s" % (x, lines[-1]))
        elif what == "close":
            session.close()
        elif what == "signal":
            session.signal(x)


def one_piece(session, story, lines):
    session.send(story.said())
    session.close()
    for what, x in story.steps:
        if what == "S":
            lines.append(session.line())
            if not fits(lines[-1], x):
                raise Failure("want %s\n    got  %s" % (x, lines[-1]))


def judge_stored(story, ids, found):
    if set(ids) != set(found):
        raise Failure("promised %s, stored %s" % (ids, list(found)))
    if len(ids) != len(story.stored):
        raise Failure("%d messages stored" % len(ids))
    for id, (envelope, head, body) in zip(ids, story.stored):
        m = found[id]
        if str(m) != envelope:
            raise Failure("want %s\n    got  %s" % (envelope, m))
        if m.body != body:
            raise Failure("want the body %r\n    got  %r" % (body, m.body))
        unfolded = re.sub(rb"\r\n(?=[ \t])", b"", m.head).decode("latin-1")
        for pattern in head:
            absent = pattern.startswith("!")
            if bool(re.search(pattern[absent:], unfolded,
                              re.M)) == absent:
                raise Failure("the header: %s\n%s" % (pattern, unfolded))


def play(story, sendmail, conf, root, way):
    session = Session(sendmail, conf, root, "packet" if way == "octets" else
                      "pipe", story.args)
    lines = []
    try:
        if way == "one piece":
            one_piece(session, story, lines)
        else:
            dialogue(session, story, lines)
        rest = session.finish()
        if rest:
            raise Failure("more was said: %s" % rest)
        judge_stored(story, queued(lines), stored(root))
    finally:
        session.stop()


def cut(story, sendmail, conf, root, at):
    """The end of input behind so many octets: what was promised is there, and
    nothing else is."""
    session = Session(sendmail, conf, root, "pipe", story.args)
    try:
        session.send(story.said()[:at])
        lines = session.finish()
        wanted = [x for what, x in story.steps if what == "S"]
        for line, want in zip(lines, wanted):
            if not fits(line, want):
                raise Failure("want %s\n    got  %s" % (want, line))
        if len(lines) > len(wanted):
            raise Failure("more was said: %s" % lines)
        ids = queued(lines)
        found = stored(root)
        if set(ids) != set(found):
            raise Failure("promised %s, stored %s" % (ids, list(found)))
        for id, (envelope, _, _) in zip(ids, story.stored):
            if str(found[id]) != envelope:
                raise Failure("want %s\n    got  %s" % (envelope, found[id]))
    finally:
        session.stop()


def attempt(name, what, *args):
    global passed, failed
    try:
        what(*args)
        passed += 1
    except Failure as why:
        failed += 1
        print("FAILED smtpd/%s: %s" % (name, why))


def main():
    sendmail, conf, work, directory = sys.argv[1:]
    paths = sorted(glob.glob(directory + "/*.smtp"))
    for path in paths:
        story = Story(path)
        signals = any(what == "signal" for what, _ in story.steps)
        for way in ("groups", "octets", "one piece"):
            if signals and way == "one piece":
                continue
            attempt("%s (%s)" % (story.name, way), play, story, sendmail,
                    conf, work + "/play", way)
        for at in range(len(story.said()) if story.anywhere else 0):
            attempt("%s (cut at %d)" % (story.name, at), cut, story, sendmail,
                    conf, work + "/play", at)
    print("smtpd dialogues: %d passed, %d failed" % (passed, failed))
    sys.exit(failed > 0 or not paths)


main()
