"""Compares canonical forms with libxml2's.

Reads records from the file named first: mode (D, W, E, C), element number, document, canonical form; numbers and lengths
are 32-bit big-endian. D = document, C = document with comments, W = without element n, E = element n in context.
Prints each difference, and at last the number of records compared.
"""

import ctypes
import ctypes.util
import os
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


class NodeSetCanonicaliser:
    """libxml2's own canonicaliser on a node set. lxml is no judge of sub-elements: it copies them first, which loses
    inherited xml: attributes and moves namespace declarations."""

    def __init__(self):
        name = ctypes.util.find_library("xml2")
        self.lib = ctypes.CDLL(name) if name else None
        if self.lib:
            for function in ("xmlReadMemory", "xmlXPathNewContext", "xmlXPathEvalExpression"):
                getattr(self.lib, function).restype = ctypes.c_void_p

    def element(self, number, document):
        lib, pointer = self.lib, ctypes.c_void_p
        doc = pointer(lib.xmlReadMemory(document, len(document), None, None, 0))
        context = pointer(lib.xmlXPathNewContext(doc))
        one = f"(//*)[{number + 1}]"
        path = f"{one}/descendant-or-self::node() | {one}//@* | {one}/@* | {one}/descendant-or-self::*/namespace::*"
        result = pointer(lib.xmlXPathEvalExpression(path.encode(), context))
        nodes = ctypes.cast(result, ctypes.POINTER(XPathObject)).contents.nodes
        out = pointer()
        length = lib.xmlC14NDocDumpMemory(doc, pointer(nodes), 0, None, 0, ctypes.byref(out))
        canonical = ctypes.string_at(out, length) if length >= 0 else None
        lib.xmlXPathFreeObject(result)
        lib.xmlXPathFreeContext(context)
        lib.xmlFreeDoc(doc)
        return canonical


class XPathObject(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("nodes", ctypes.c_void_p)]


def canonical(mode, number, document):
    tree = etree.ElementTree(etree.fromstring(document, etree.XMLParser(huge_tree=True)))
    tree = tree.getroot().getroottree()
    if mode == "W":
        without(tree.getroot(), number)
    return etree.tostring(tree, method="c14n", with_comments=mode == "C")


node_sets = NodeSetCanonicaliser()
if not node_sets.lib:
    print("SKIPPED: libxml2 cannot be loaded; elements in context are not compared")
    if os.environ.get("KOUAN_REQUIRE_TOOLS") == "1":
        sys.exit(2)
count = bad = 0
for mode, number, document, ours in records(open(sys.argv[1], "rb").read()):
    if mode == "E" and not node_sets.lib:
        continue
    count += 1
    theirs = node_sets.element(number, document) if mode == "E" else canonical(mode, number, document)
    if theirs != ours:
        bad += 1
        if bad <= 5:
            print(f"record {count} {mode}{number}\n  document {document!r}\n  ours     {ours!r}\n  theirs   {theirs!r}")
print(f"compared {count}, different {bad}")
sys.exit(1 if bad else 0)
