"""Canonical XML of an element in the context of its document, by libxml2's own canonicaliser on a node set.

lxml is no judge here: it copies a sub-element before it canonicalises it, and on the way moves namespace declarations.
"""

import ctypes
import ctypes.util


class XPathObject(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("nodes", ctypes.c_void_p)]


def library():
    name = ctypes.util.find_library("xml2")
    if not name:
        return None
    lib = ctypes.CDLL(name)
    for function in ("xmlReadMemory", "xmlXPathNewContext", "xmlXPathEvalExpression"):
        getattr(lib, function).restype = ctypes.c_void_p
    return lib


def canonical(document, local_name):
    """Canonical form of the first element of that local name."""
    lib, pointer = library(), ctypes.c_void_p
    doc = pointer(lib.xmlReadMemory(document, len(document), None, None, 0))
    context = pointer(lib.xmlXPathNewContext(doc))
    one = f"(//*[local-name()='{local_name}'])[1]"
    path = f"{one}/descendant-or-self::node() | {one}//@* | {one}/@* | {one}/descendant-or-self::*/namespace::*"
    result = pointer(lib.xmlXPathEvalExpression(path.encode(), context))
    nodes = ctypes.cast(result, ctypes.POINTER(XPathObject)).contents.nodes
    out = pointer()
    length = lib.xmlC14NDocDumpMemory(doc, pointer(nodes), 0, None, 0, ctypes.byref(out))
    if length < 0:
        raise SystemExit("libxml2 does not canonicalise this")
    bytes_out = ctypes.string_at(out, length)
    lib.xmlXPathFreeObject(result)
    lib.xmlXPathFreeContext(context)
    lib.xmlFreeDoc(doc)
    return bytes_out
