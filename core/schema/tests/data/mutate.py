"""Mutates the good samples of a business and says what libxml2 makes of each: one JSON object a line.

Arguments: folder of the business, folder for its schemas without annotations, how many documents, seed.
First line: the groups of schema files. Then {"group", "document", "ways", "valid", "why"}.
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
WAYS = ["drop", "duplicate", "reorder", "rename", "truncate", "overflow", "bad code", "wrong namespace", "attribute",
        "value"]


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
    """One change; says of which kind it was, or None where there was nothing to change."""
    nodes = list(root.iter(etree.Element))
    node, way = chance.choice(nodes), chance.choice(WAYS)
    leaf = chance.choice([leaf for leaf in nodes if len(leaf) == 0] or [root])
    text, parent = leaf.text or "", node.getparent()
    if way in ("drop", "duplicate", "reorder") and parent is None:
        return None
    if way == "drop":
        parent.remove(node)
    elif way == "duplicate":
        parent.insert(parent.index(node), copy.deepcopy(node))
    elif way == "reorder":
        parent.remove(node)
        parent.insert(chance.randrange(len(parent) + 1), node)
    elif way == "rename":
        node.tag = chance.choice(names)
    elif way == "attribute":
        node.set("bogus", "1")
    elif way == "truncate" and len(node):
        for child in node[chance.randrange(len(node)):]:
            node.remove(child)
    elif way == "truncate":
        leaf.text = text[:chance.randrange(len(text) + 1)]
    elif way == "overflow":
        leaf.text = text + chance.choice(["0", "9" * chance.randrange(1, 40), ".000001", "." + "1" * 12, "值" * 300])
    elif way == "bad code":
        leaf.text = "".join(chance.choice("AZ09#") for _ in text) or "#"
    elif way == "wrong namespace":
        space = chance.choice(["{urn:wrong}", "", "{urn:Declaration:datamodel:standard:CN:MT9999:1}"])
        for one in chance.choice([[node], nodes]):
            one.tag = space + etree.QName(one).localname
    else:
        leaf.text = chance.choice(VALUES)
    return way


def main():
    groups = schemas()
    print(json.dumps([files for files, _ in groups]), flush=True)
    bases = [[] for _ in groups]
    for path in sorted(glob.glob(os.path.join(BUSINESS, "samples", "good", "**", "*.xml"), recursive=True)):
        if os.path.getsize(path) > LARGEST:
            continue
        root = etree.parse(path).getroot()
        without_empty(root)
        for own, (_, schema) in zip(bases, groups):
            if schema.validate(root):
                own.append(root)
    lacking = [files[0] for (files, _), own in zip(groups, bases) if not own]
    assert not lacking, f"no good sample is right by {lacking}"
    chance = random.Random(SEED)
    names = sorted({node.tag for own in bases for root in own for node in root.iter(etree.Element)}) + ["Bogus"]
    for number in range(COUNT):
        at = number % len(groups)
        root = copy.deepcopy(chance.choice(bases[at]))
        ways = [way for way in (mutated(root, chance, names) for _ in range(chance.choice([1, 1, 1, 2]))) if way]
        without_empty(root)
        document = etree.tostring(root, encoding="unicode")
        if chance.randrange(40) == 0:
            document, ways = document[:chance.randrange(len(document))], ways + ["truncate"]
        try:
            root, schema = etree.fromstring(document), groups[at][1]
            valid = schema.validate(root)
            why = "" if valid else str(schema.error_log[0].message)
        except etree.XMLSyntaxError as error:
            valid, why = False, str(error)
        print(json.dumps({"group": at, "document": document, "ways": ways, "valid": valid, "why": why}))


main()
