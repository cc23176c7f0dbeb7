"""Mutates the good samples of a business and says what libxml2 makes of each: one JSON object a line.

Arguments: folder of the business, folder for its schemas without annotations, how many documents, seed.
First line: the groups of schema files. Then {"group", "document", "valid", "why"}.
"""
import copy
import glob
import json
import os
import random
import sys
from lxml import etree

BUSINESS, OUT, COUNT, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
XSD, KOUAN = "{http://www.w3.org/2001/XMLSchema}", "{urn:kouan:schema}"
VALUES = ["", "0", "1", "9", "-1", "+1", "1.5", "1.23456789", "1e5", "abc", "USD", "甲" * 600, "1" * 26, "20260230",
          "2026-01-12", "2026-01-12T10:00:00", "91310000MA1TEXT00R", "3122480001", "12345678901234567890", " 5 "]
LARGEST = 40000


def included(path, seen):
    seen.append(path)
    for node in etree.parse(os.path.join(BUSINESS, "xsd", path)).getroot():
        if node.tag in (XSD + "include", XSD + "import") and node.get("schemaLocation") not in seen:
            included(node.get("schemaLocation"), seen)
    return seen


def schemas():
    """One group of files for each schema that no other includes."""
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(BUSINESS, "xsd", "*.xsd")))
    for name in names:
        tree = etree.parse(os.path.join(BUSINESS, "xsd", name))
        for node in list(tree.iter(KOUAN + "*")):
            node.getparent().remove(node)
        tree.write(os.path.join(OUT, name), encoding="UTF-8", xml_declaration=True)
    closures = {name: included(name, []) for name in names}
    tops = [name for name in names if not any(name in closures[other][1:] for other in names)]
    return [(closures[top], etree.XMLSchema(etree.parse(os.path.join(OUT, top)))) for top in tops]


def without_empty(root):
    """What counts as absent to a business, and blanks around values, are no matter here."""
    for node in list(root.iter(etree.Comment, etree.ProcessingInstruction)):
        drop(node)
    changed = True
    while changed:
        changed = False
        for node in list(root.iter(etree.Element)):
            if len(node) == 0 and not (node.text or "").strip() and node.getparent() is not None:
                drop(node)
                changed = True
    for node in root.iter(etree.Element):
        if len(node) == 0 and node.text:
            node.text = node.text.strip()


def drop(node):
    parent, before, tail = node.getparent(), node.getprevious(), node.tail or ""
    if parent is None:
        return
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(node)


def mutated(root, chance, names):
    nodes = list(root.iter(etree.Element))
    node, way = chance.choice(nodes), chance.randrange(8)
    parent = node.getparent()
    if way == 0 and parent is not None:
        parent.remove(node)
    elif way == 1 and parent is not None:
        parent.insert(parent.index(node), copy.deepcopy(node))
    elif way == 2:
        node.tag = chance.choice(names)
    elif way == 3 and parent is not None:
        parent.remove(node)
        parent.insert(chance.randrange(len(parent) + 1), node)
    elif way == 4:
        chance.choice(nodes).set("bogus", "1")
    else:
        chance.choice([leaf for leaf in nodes if len(leaf) == 0] or [root]).text = chance.choice(VALUES)


def main():
    groups = schemas()
    print(json.dumps([files for files, _ in groups]), flush=True)
    bases = []
    for path in sorted(glob.glob(os.path.join(BUSINESS, "samples", "good", "**", "*.xml"), recursive=True)):
        if os.path.getsize(path) > LARGEST:
            continue
        root = etree.parse(path).getroot()
        without_empty(root)
        bases += [(at, root) for at, (_, schema) in enumerate(groups) if schema.validate(root)][:1]
    chance = random.Random(SEED)
    names = sorted({node.tag for _, root in bases for node in root.iter(etree.Element)}) + ["Bogus"]
    for _ in range(COUNT if bases else 0):
        at, base = chance.choice(bases)
        root = copy.deepcopy(base)
        for _ in range(chance.choice([1, 1, 1, 2])):
            mutated(root, chance, names)
        without_empty(root)
        document = etree.tostring(root, encoding="unicode")
        root, schema = etree.fromstring(document), groups[at][1]
        valid = schema.validate(root)
        why = "" if valid else str(schema.error_log[0].message)
        print(json.dumps({"group": at, "document": document, "valid": valid, "why": why}))


main()
