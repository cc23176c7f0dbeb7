"""Compares canonical forms with libxml2's.

Reads records from the file named first: mode (D, W, E, C), element number, document, canonical form; numbers and lengths
are 32-bit big-endian. D = document, C = document with comments, W = without element n, E = element n in context.
Prints each difference, and at last the number of records compared.
"""

import struct
import sys

from lxml import etree


def records(data):
    at = 0

    def take():
        nonlocal at
        (length,) = struct.unpack_from(">I", data, at)
        at += 4 + length
        return data[at - length : at]

    while at < len(data):
        mode = data[at : at + 1].decode()
        (number,) = struct.unpack_from(">I", data, at + 1)
        at += 5
        yield mode, number, take(), take()


def without(root, number):
    element = list(root.iter("*"))[number]
    parent, tail = element.getparent(), element.tail or ""
    before = element.getprevious()
    parent.remove(element)
    if before is None:
        parent.text = (parent.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail


def canonical(mode, number, document):
    tree = etree.ElementTree(etree.fromstring(document, etree.XMLParser(huge_tree=True)))
    tree = tree.getroot().getroottree()
    if mode == "W":
        without(tree.getroot(), number)
    if mode == "E":
        element = list(tree.getroot().iter("*"))[number]
        return etree.tostring(element, method="c14n", with_comments=False, with_tail=False)
    return etree.tostring(tree, method="c14n", with_comments=mode == "C")


count = bad = 0
for mode, number, document, ours in records(open(sys.argv[1], "rb").read()):
    count += 1
    theirs = canonical(mode, number, document)
    if theirs != ours:
        bad += 1
        if bad <= 5:
            print(f"record {count} {mode}{number}\n  document {document!r}\n  ours     {ours!r}\n  theirs   {theirs!r}")
print(f"compared {count}, different {bad}")
sys.exit(1 if bad else 0)
