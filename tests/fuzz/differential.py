"""Our HTTP parser against Node's (llhttp): the same responses, two opinions.

    differential.py HTTP-VERDICT [--count N] [--seed N]

The inputs are the corpus, responses built at random and mutations of all of
them. Both parsers must come to the same: whole or not, status, body, whether
the connection may be kept, and where the next response begins. Node's is the
stricter one, mostly; what ours does otherwise on purpose stands below, with
the section of RFC 9112 or 9110 that is behind it:

- FORGIVEN: what ours reads as if it had been written plainly. Each rule
  writes it plainly; of the plain input Node must say what ours says of the
  input as it is.
- REFUSED: what ours refuses, and Node's takes.

Anything else fails, and is printed.
"""

import argparse
import itertools
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))


# --- Forgiven --------------------------------------------------------------
#
# A rule takes the lines of a head, without their ends, and returns others.

BLANKS = b" \t"
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"


def status_of(lines):
    match = re.match(rb"HTTP/1\.\d (\d\d\d)", lines[0])
    return int(match[1]) if match else 0


def named(line, name):
    return line.lower().startswith(name + b":")


def has(lines, name):
    return any(named(line, name) for line in lines[1:])


def without(lines, *names):
    return lines[:1] + [line for line in lines[1:]
                        if not any(named(line, name) for name in names)]


def values(lines, name):
    """The members of a list, of all its lines."""
    text = b",".join(line[len(name) + 1:] for line in lines[1:]
                     if named(line, name))
    members = (member.strip(BLANKS) for member in text.split(b","))
    return [member for member in members if member]


def says_close(lines):
    return b"close" in [v.lower() for v in values(lines, b"connection")]


def folds(lines):
    """9112, 5.2: a user agent reads a folded line as one."""
    out = lines[:1]
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and len(out) > 1:
            out[-1] += b" " + line[1:]
        else:
            out.append(line)
    return out


def minor_versions(lines):
    """9110, 2.5: a higher minor version is taken for the highest known."""
    first = re.sub(rb"^HTTP/1\.[2-9] ", b"HTTP/1.1 ", lines[0])
    return [first] + lines[1:]


def controls(lines):
    """9110, 5.5: control characters in a value may be retained, except for
    CR, LF and NUL."""
    def clean(line):
        return re.sub(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]", b"x", line)

    def clean_value(line):
        name, colon, value = line.partition(b":")
        return name + colon + clean(value)
    return [clean(lines[0])] + [clean_value(line) for line in lines[1:]]


def no_content(lines):
    """9112, 6.3, item 1: 1xx, 204 and 304 end with the head, whatever the
    fields say. 9110, 8.6: a 204 must not announce content; the connection of
    one that does is not kept."""
    status = status_of(lines)
    if not 100 <= status < 200 and status not in (204, 304):
        return lines
    out = without(lines, b"content-length", b"transfer-encoding")
    if status == 204 and announces_content(lines):
        out = without(out, b"connection") + [b"connection: close"]
    return out


def announces_content(lines):
    """A transfer coding, or a length that is not 0."""
    name = b"content-length"
    members = b",".join(line[len(name) + 1:] for line in lines[1:]
                         if named(line, name)).split(b",")
    return any(coding.lower() != b"identity"
               for coding in values(lines, b"transfer-encoding")) or (
        has(lines, name) and
        any(member.strip(BLANKS).strip(b"0") or not member.strip(BLANKS)
            for member in members))


def lists(lines):
    """9110, 5.6.1.2 and 5.5: empty members of a list are nothing, nor is
    white space around a value."""
    out = []
    for line in lines:
        for name in (b"transfer-encoding", b"connection"):
            members = b", ".join(values([b"", line], name))
            if named(line, name) and line[len(name) + 2:] != members:
                line = name + b": " + members
        out.append(line)
    return out


def lengths(lines):
    """9110, 8.6: the same length several times is one. 5.5: white space
    around a value, tabs among it, is no part of it."""
    name = b"content-length"
    found = b",".join(line[len(name) + 1:] for line in lines[1:]
                      if named(line, name)).split(b",")
    found = [member.strip(BLANKS) for member in found]
    good = all(member.isdigit() for member in found)
    odd = len(found) > 1 or any(named(line, name) and b"\t" in line
                                for line in lines)
    if odd and good and len({int(member) for member in found}) == 1:
        return without(lines, name) + [name + b": " + found[0]]
    return lines


def both_framings(lines):
    """9112, 6.3, item 3: a transfer coding overrides a length; and it costs
    the connection."""
    if has(lines, b"transfer-encoding") and has(lines, b"content-length"):
        return without(lines, b"content-length", b"connection") + \
            [b"connection: close"]
    return lines


def identity(lines):
    """RFC 7230, A.2: as a coding it says that there is none."""
    members = values(lines, b"transfer-encoding")
    rest = list(itertools.dropwhile(lambda m: m.lower() == b"identity",
                                    members))
    if rest == members:
        return lines
    lines = without(lines, b"transfer-encoding")
    return lines + [b"Transfer-Encoding: " + b", ".join(rest)] if rest \
        else lines


def chunked_in_1_0(lines):
    """9112, 6.1: nobody knew of it then, so the connection is done with."""
    if lines[0].startswith(b"HTTP/1.0") and has(lines, b"transfer-encoding"):
        return without(lines, b"connection")
    return lines


def interim(lines):
    """9110, 15.2: 1xx comes before the response. "close" in it is kept for
    that; see plain."""
    if 100 <= status_of(lines) < 200:
        return [b"HTTP/1.1" + lines[0][8:]] + without(lines,
                                                      b"connection")[1:]
    return lines


def close_wins(lines):
    """9112, 9.3: with "close" it is not kept, whatever else is there."""
    if says_close(lines):
        return without(lines, b"connection") + [b"connection: close"]
    return lines


FORGIVEN = [folds, minor_versions, controls, no_content, lists, lengths,
            both_framings, identity, chunked_in_1_0, close_wins, interim]


def take_section(data):
    """The lines up to an empty one, and what follows. None: it does not end.
    9112, 2.2: a lone LF ends a line, too."""
    lines = []
    while True:
        line, lf, data = data.partition(b"\n")
        if not lf:
            return None, data
        line = line[:-1] if line.endswith(b"\r") else line
        if not line:
            return lines, data
        lines.append(line)


def written(lines):
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def plain_trailers(lines):
    """9112, 7.1.2: what stands there does not change the framing."""
    return without(controls(folds([b""] + lines)), b"content-length",
                   b"transfer-encoding")[1:]


def plain_chunks(data):
    """9112, 7.1.1: extensions are ignored. White space behind a size, which
    some servers pad it with, is recovered from (9110, 2.4)."""
    out = b""
    while True:
        match = re.match(rb"([0-9A-Fa-f]+)[ \t]*(;[^\r\n]*)?\r\n", data)
        if not match:
            return out + data
        n = int(match[1], 16)
        out += match[1] + b"\r\n"
        data = data[match.end():]
        if n == 0:
            lines, rest = take_section(data)
            if lines is None:
                return out + data
            return out + written(plain_trailers(lines)) + rest
        out += data[:n + 2]
        data = data[n + 2:]


def plain(data, used):
    """The same response, written plainly. Counts the rules that it took."""
    out = b""
    closes = []
    while True:
        lines, rest = take_section(data)
        if not lines:
            return out + data
        if written(lines) != data[:len(data) - len(rest)]:
            used["lone_lf"] += 1
        lines += closes
        if says_close(folds(lines)):
            closes = [b"connection: close"]
        for rule in FORGIVEN:
            before = lines
            lines = rule(lines)
            used[rule.__name__] += lines != before
        out += written(lines)
        data = rest
        if not 100 <= status_of(lines) < 200:
            break
    if values(lines, b"transfer-encoding"):
        rest = plain_chunks(data)
        used["plain_chunks"] += rest != data
    return out + rest


# --- Refused ---------------------------------------------------------------

# What ours says; why it may; what must be so of the plain input for that.
REFUSED = [
    ("the server switched protocols unasked",
     "9110, 7.8: not without an Upgrade from us, and we send none",
     rb"HTTP/1\.\d 101"),
    ("a transfer coding that was not asked for",
     "9112, 6.1 and 7.4: none but chunked, unless we had sent TE",
     rb"(?i)\ntransfer-encoding:(?! ?chunked\r)|"
     rb"\ntransfer-encoding:[\0-\xff]*\ntransfer-encoding:"),
    ("the status line contains NUL or a bare CR",
     "9112, 4: a reason has neither", rb"HTTP/1\.\d \d\d\d [^\n]*[\0\r]"),
    ("this is no HTTP/1 status line",
     "9112, 2.2: empty lines are skipped before requests only",
     rb"(^|\n)[\r\n]+HTTP/1"),
    ("this is no HTTP/1 status line",
     "9112, 2.2: a bare CR is no line end", rb"HTTP/1\.\d \d\d\d\r[^\n]"),
    ("there is more than one Location",
     "9110, 10.2.2 and 5.3: it is no list, so it may stand there once",
     rb"(?i)\nlocation:[\0-\xff]*\nlocation:"),
]

# llhttp before version 9, in Debian 12's Node, takes these as well; the later
# versions were mended.
BARE_CR = "9112, 2.2: a bare CR is no line end", rb"\r[^\n]"
REFUSED_BEFORE_9 = [
    ("a header line has no name and colon", *BARE_CR),
    ("the first header line begins with white space", *BARE_CR),
    ("the server closed within the header", *BARE_CR),
    ("the server closed within the body", *BARE_CR),
    ("a chunk-size line has a bare CR", *BARE_CR),
    ("a header line has no name and colon",
     "9110, 5.1: a name is not empty and has no white space",
     rb"\n([^:\r\n]* [^:\r\n]*)?:"),
    ("the first header line begins with white space",
     "9112, 2.2: it may be rejected", rb"HTTP/1[^\n]*\n[ \t]"),
    ("this is no HTTP/1 status line",
     "9112, 4: version 1, three digits", rb"HTTP/(?!1\.\d \d\d\d[ \r\n])"),
    ("a chunk is longer than its size",
     "9112, 7.1: CR LF stands behind the data, no other two bytes", rb""),
]


def refused(plain_input, ours):
    for cause, _, pattern in REFUSED:
        if ours["cause"] == cause and re.search(pattern, plain_input):
            return cause
    return None


# --- Inputs ----------------------------------------------------------------

PIECES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\0", b"\x7f",
    b"\xff", b"0", b"5", b"f", b"\r\n\r\n", b"\r\n ", b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 ",
    b"204", b"304", b"101", b"Content-Length: 5\r\n", b"Content-Length: ",
    b"content-length:0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: ", b"chunked", b"gzip, ", b"Connection: close\r\n",
    b"Connection: keep-alive\r\n", b"Upgrade: x\r\n", b"Location: /x\r\n",
    b"5\r\nhello\r\n", b"0\r\n\r\n", b"; a=b", b"; a=\"b\"", b"X: y\r\n",
    b'"', b"hello", b"+", b"-", b"0x", b"ffffffffffffffff",
    b"9223372036854775807", b"18446744073709551617",
]


def corpus():
    """The responses in the corpora of http and exchange, which begin with
    what steers those targets."""
    inputs = []
    for name in ("http", "exchange"):
        directory = os.path.join(HERE, "corpus", name)
        for entry in sorted(os.listdir(directory)):
            with open(os.path.join(directory, entry), "rb") as file:
                data = file.read()
            at = data.find(b"HTTP/")
            inputs.append(data[at:] if at >= 0 else data[1:])
    return inputs


def often(rng, usual, *others):
    return usual if rng.random() < 0.7 else rng.choice(others)


def built_head(rng, framing, body):
    eol = b"\n" if rng.random() < 0.1 else b"\r\n"
    length = str(len(body) + often(rng, 0, 1, -1)).encode()
    fields = [b"Server: x"]
    if framing != "chunks":
        fields.append(b"Content-Length:" + often(rng, b" ", b"", b"\t") +
                      length + often(rng, b"", b" ", b"," + length,
                                     b", 1" + length))
    if framing != "length":
        fields.append(b"Transfer-Encoding: " + often(
            rng, b"chunked", b"Chunked", b"gzip, chunked", b"chunked,",
            b"chunked, gzip", b"identity", b"chunked\t", b", chunked"))
    if framing == "close":
        fields = []
    fields.append(rng.choice((
        b"Connection: close", b"Connection: keep-alive", b"Y: z", b"Y:",
        b"Connection: x, Close", b"Connection: keep-alive, close",
        b"Connection: closed", b"Connection: ,close", b"Upgrade: h2c",
        b"X: a" + eol + b"\tb", b"Location: /x", b"X: \x80\xff\x01;:")))
    rng.shuffle(fields)
    status = often(rng, b"200 OK", b"204 No", b"304 Not", b"404 Not Found",
                   b"302 Found", b"200", b"200 ", b"100 Go", b"101 X",
                   b"999 X")
    first = b"HTTP/1." + often(rng, b"1", b"0", b"9") + b" " + status
    return b"".join(line + eol for line in (first, *fields, b""))


def built_chunks(rng, body):
    out = b""
    while body:
        n = rng.randrange(1, len(body) + 1)
        size = rng.choice((b"%x", b"%x", b"%X", b"00%x")) % n
        if rng.random() < 0.01:
            size = b"1%016x" % n  # 2 to 64, and n
        out += size + often(rng, b"", b";a=b", b" ", b' ; a = "x;y"') + \
            b"\r\n" + body[:n] + b"\r\n"
        body = body[n:]
    return out + often(rng, b"0", b"000", b"0;x") + b"\r\n" + \
        often(rng, b"", b"T: x\r\n") + b"\r\n"


def built(rng):
    """A response that is right, or nearly."""
    body = bytes(rng.choices(b"ab\r\n0;: ", k=rng.randrange(20)))
    framing = rng.choice(("length", "chunks", "both", "close"))
    head = built_head(rng, framing, body)
    if framing in ("chunks", "both"):
        body = built_chunks(rng, body)
    before = often(rng, b"", b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n")
    return before + head + body + often(rng, b"", b"HTTP/1.1 200")


def mutated(rng, base):
    data = bytearray(base)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(5)
        if how == 0:
            data[at:at + 1] = bytes([rng.randrange(256)])
        elif how == 1:
            del data[at:at + rng.choice((1, 2, 9))]
        elif how == 2:
            data[at:at + rng.randrange(9)] = rng.choice(PIECES)
        elif how == 3:
            data[at:at] = rng.choice(PIECES)
        else:
            other = rng.randrange(len(data) + 1)
            data[at:at] = data[other:other + rng.randrange(40)]
    return bytes(data)


# --- Asking ----------------------------------------------------------------

def ask(command, inputs):
    """What a parser makes of each input."""
    data = b"".join(struct.pack("<I", len(i)) + i for i in inputs)
    asked = subprocess.run(command, input=data, stdout=subprocess.PIPE,
                           check=False)
    if asked.returncode == 77:
        skip("this Node's parser cannot be reached")
    lines = asked.stdout.decode("ascii").splitlines()
    if asked.returncode != 0 or len(lines) != len(inputs):
        sys.exit(f"{command[0]}: status {asked.returncode} after "
                 f"{len(lines)} of {len(inputs)} inputs")
    return [json.loads(line) for line in lines]


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(77)


def agree(ours, theirs, input_, theirs_input):
    """Of a response that is not whole, neither needs to say more than that:
    Node looks at each byte of a head as it comes, ours at whole lines."""
    whole = ours["end"] == "done"
    if whole != (theirs["end"] == "done"):
        return False
    if not whole:
        return True
    if any(ours[what] != theirs[what] for what in ("status", "body", "keep")):
        return False
    rest = input_[ours["used"]:]
    # Where it ends Node tells only if it may go on there; and it looks on
    # over line ends, and at the first byte of HTTP, ICY, RTSP.
    return (not ours["keep"] or rest[:1] in b"\r\nHIR" or
            theirs_input[theirs["used"]:] == rest)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verdict", help="the program http-verdict")
    parser.add_argument("--count", type=int, default=10000,
                        help="responses built, and as many mutations (10000)")
    parser.add_argument("--seed", type=int, default=9112)
    options = parser.parse_args()
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        skip("there is no node here (Debian's package nodejs)")
    version = subprocess.run([node, "-p", "process.versions.llhttp"],
                             stdout=subprocess.PIPE, text=True,
                             check=False).stdout.strip()
    if version.startswith(("2.", "6.", "8.")):
        REFUSED.extend(REFUSED_BEFORE_9)
    theirs_command = [node, "--no-deprecation",
                      os.path.join(HERE, "http-verdict.mjs")]
    rng = random.Random(options.seed)
    inputs = corpus()
    inputs += [built(rng) for _ in range(options.count)]
    inputs += [mutated(rng, rng.choice(inputs)) for _ in range(options.count)]

    ours = ask([options.verdict], inputs)
    theirs = ask(theirs_command, inputs)
    open_ = [(i, a, b) for i, a, b in zip(inputs, ours, theirs)
             if not agree(a, b, i, i)]
    whole = sum(a["end"] == "done" for a in ours)
    print(f"{len(inputs)} inputs (seed {options.seed}), {whole} of them "
          f"whole responses; llhttp {version} judges "
          f"{len(inputs) - len(open_)} alike")

    used = Counter()
    rules = [Counter() for _ in open_]
    plains = [plain(i, u) for (i, _, _), u in zip(open_, rules)]
    failed = 0
    for (i, a, b), p, c, u in zip(open_, plains, ask(theirs_command, plains),
                                  rules):
        if agree(a, c, i, p):
            used += u
        elif a["end"] != "done" and refused(p, a):
            used[refused(p, a)] += 1
        else:
            failed += 1
            print(f"FAILED: {i!r}\n  plain: {p!r}\n  ours: {a}\n"
                  f"  Node: {b}\n  plain: {c}")
    for rule, count in used.most_common():
        print(f"{count:6} otherwise on purpose: {rule}")
    print(f"{failed} differ without a reason")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
