"""Makes schemas and documents for them, and says what libxml2 makes of each: one JSON object a line.

Arguments: seed, how many content models. A line: {"label", "schema", "accepted", "why", "slips", "cases":
[[document, valid]]}. Content models are also judged as the regular expressions that they are; where libxml2 differs from
that (it loses count in nested groups), it slips, and the regular expression is right.
"""
import json
import random
import re
import sys
from lxml import etree

SEED, MODELS = int(sys.argv[1]), int(sys.argv[2])
HEAD = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
TEXTS = ["string", "normalizedString", "token", "language", "Name", "NCName", "NMTOKEN", "anyURI"]
WHOLE = ["integer", "nonPositiveInteger", "negativeInteger", "nonNegativeInteger", "positiveInteger", "long", "int",
         "short", "byte", "unsignedLong", "unsignedInt", "unsignedShort", "unsignedByte"]
TIMES = ["dateTime", "date", "time", "gYearMonth", "gYear"]
VALUES = {
    "text": ["", " ", "a", "ab", "abc", "abcd", " a", "a ", "a  b", "a\tb", "zh-CN", "zh_CN", "en-", "abcdefghi", "1a", "-a",
             ":a", "a:b", "_", "名1", "a.b", "é", "口岸口岸", "𠀀", "&", "x-y-z", "a1-b2", "http://a/b?c=d#e"],
    "number": ["", "0", "-0", "+0", "1", "-1", "+1", "01", "1.", ".5", "1.0", "1.50", "-1.5", "99", "99.99", "100", "100.0", "100.01",
               "101", "127", "128", "-128", "-129", "255", "256", "32767", "32768", "65535", "65536", "2147483647", "2147483648",
               "-2147483649", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
               "-9223372036854775809", "18446744073709551615", "18446744073709551616", " 7 ", "7 7", "\t7\n", "1e3", "1E3", "1,000",
               "--1", "+", "-", ".", "1.2.3", "0x10", "１", "INF", "-INF", "NaN", "inf", "1e", "e1", "1.5e-3", "0.001", "0.00100",
               "000000000000000000000000012", "12345678901234567890123"],
    "moment": ["", "2026-01-12", "2026-02-29", "2024-02-29", "2000-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-01-32",
               "2026-1-1", "20260112", "2026-01-12Z", "2026-01-12+08:00", "2026-01-12+14:00", "2026-01-12+14:01", "2026-01-12-15:00",
               "-0001-01-01", "12026-01-01", "02026-01-01", "2026-01-12T10:00:00", "2026-01-12T24:00:00", "2026-01-12T24:00:01",
               "2026-01-12T10:00", "2026-01-12T10:00:60", "2026-01-12T10:60:00", "2026-01-12T10:00:00.5", "2026-01-12T10:00:00.",
               "2026-01-12T10:00:00Z", "2026-01-12T10:00:00+08:00", "2026-01-11T23:00:00-08:00", "2026-01-12 10:00:00",
               "2026-01-12t10:00:00", " 2026-01-12 ", "10:00:00", "24:00:00", "10:00:00Z", "10:00:00.123+08:00", "25:00:00", "9:00:00",
               "2026-01", "2026-13", "2026-01Z", "2026", "26", "2026Z", "-2026", "2027", "2025-12-31", "2027-01-01"],
    "duration": ["", "P1Y", "-P1Y2M3DT4H5M6.7S", "PT0S", "P", "PT", "1Y", "P1S", "P1YT", "PT1.5H", "P-1Y", "P1M1Y", "PT1.S", "PT.5S",
                 "+P1Y", "P1Y1D", " P1D ", "p1d", "P1DT", "PT1M1H", "P1.5D"],
    "boolean": ["", "true", "false", "1", "0", "TRUE", " true ", "yes", "01"],
    "binary": ["", "0a", "0A", "0aF", "0aFF", "zz", "AQID", "AQI=", "AQ==", "AQI", "AQJ=", "AQ I=", "=", "A===", "AQIDBA==", "0a0a0a",
               " 0a ", "0a 0a"],
}
PATTERNS = ["[0-9]{3}", "[A-Z]{2}[0-9]*", r"\d+", r"\w+", r"\S*", "a|b", "(a|b)*c?", "[^a-c]+", "[a-z-[aeiou]]+", ".", ".*", "a.c", r"\i\c*",
            r"[\-+]?\d{1,3}(\.\d{1,2})?", "[+-]?1", r"\p{Lu}+", r"\P{L}", "(ab){2}", "a{0,2}", "a{2,}", "^a$", "[.]", "[ab]c{1}", "",
            r"\\", r"\s", "a?b?c?", "((a)|(b))c", r"[\d-[5]]+", "[a-]", "[-a]", r"\p{IsBasicLatin}+", "(", "a**", "[]", "a{2,1}", "x{,3}"]
SUBJECTS = ["", "a", "b", "c", "ab", "abc", "abab", "aa", "aaa", "ac", "axc", "a\u00e9c", "AB12", "AB", "A1", "123", "12", "+1", "-1", "1", "1.25",
            "1.255", "^a$", ".", "\\", " ", "-", "xyz", "xaz", "É", "A", "名", "_a", "1a", "5", "135", "bc", "abcc"]


def kind_of(base):
    if base in TEXTS:
        return "text"
    if base in TIMES:
        return "moment"
    return {"duration": "duration", "boolean": "boolean", "hexBinary": "binary", "base64Binary": "binary"}.get(base, "number")


def facets(base):
    """Steps of derivation: each a row of facets."""
    kind = kind_of(base)
    facet = lambda name, *values: [f'<xs:{name} value="{value}"/>' for value in values]
    yield "plain", []
    if kind in ("text", "binary"):
        for name in ("length", "minLength", "maxLength"):
            for value in (0, 1, 3):
                yield f"{name} {value}", [facet(name, value)]
        yield "minLength 2 maxLength 3", [facet("minLength", 2) + facet("maxLength", 3)]
        yield "minLength 2, then maxLength 3", [facet("minLength", 2), facet("maxLength", 3)]
        yield "minLength above maxLength", [facet("minLength", 3) + facet("maxLength", 2)]
        yield "maxLength widened", [facet("maxLength", 2), facet("maxLength", 3)]
        yield "minLength widened", [facet("minLength", 2), facet("minLength", 1)]
        yield "length changed", [facet("length", 2), facet("length", 3)]
        yield "length and minLength", [facet("length", 2) + facet("minLength", 1)]
        yield "maxLength twice", [facet("maxLength", 2) + facet("maxLength", 3)]
        yield "totalDigits", [facet("totalDigits", 2)]
        yield "minInclusive", [facet("minInclusive", 2)]
    if kind == "text":
        yield "enumeration", [facet("enumeration", "a", "ab", "zh-CN")]
        yield "enumeration narrowed", [facet("enumeration", "a", "ab"), facet("enumeration", "a")]
        yield "enumeration widened", [facet("enumeration", "a"), facet("enumeration", "a", "ab")]
        yield "pattern", [facet("pattern", "[a-c]{1,3}")]
        yield "patterns in one step", [facet("pattern", "a+", "b+")]
        yield "patterns in two steps", [facet("pattern", "[ab]+"), facet("pattern", "a.*")]
        for value in ("preserve", "replace", "collapse", "other"):
            yield f"whiteSpace {value}", [facet("whiteSpace", value)]
        yield "whiteSpace loosened", [facet("whiteSpace", "collapse"), facet("whiteSpace", "preserve")]
    if kind == "number":
        for name in ("minInclusive", "minExclusive", "maxInclusive", "maxExclusive"):
            for value in ("1", "100", "-1", "1.5", "abc"):
                yield f"{name} {value}", [facet(name, value)]
        yield "range", [facet("minInclusive", 1) + facet("maxExclusive", 100)]
        yield "range empty", [facet("minInclusive", 9) + facet("maxInclusive", 8)]
        yield "range of nothing", [facet("minExclusive", 9) + facet("maxExclusive", 9)]
        yield "range widened", [facet("maxInclusive", 9), facet("maxInclusive", 10)]
        yield "lower end above base's upper", [facet("maxInclusive", 9), facet("minInclusive", 10)]
        yield "both lower ends", [facet("minInclusive", 1) + facet("minExclusive", 1)]
        for total, fraction in ((3, 1), (2, 2), (1, 2), (0, 0), (19, 5)):
            yield f"totalDigits {total}", [facet("totalDigits", total)]
            yield f"fractionDigits {fraction}", [facet("fractionDigits", fraction)]
            yield f"digits {total} {fraction}", [facet("totalDigits", total) + facet("fractionDigits", fraction)]
        yield "totalDigits widened", [facet("totalDigits", 2), facet("totalDigits", 3)]
        yield "fractionDigits widened", [facet("fractionDigits", 1), facet("fractionDigits", 2)]
        yield "enumeration", [facet("enumeration", "1", "100")]
        yield "enumeration of another type", [facet("enumeration", "1", "abc")]
        yield "pattern", [facet("pattern", "[0-9]{1,3}")]
        yield "maxLength", [facet("maxLength", 3)]
        yield "whiteSpace", [facet("whiteSpace", "collapse")]
        yield "whiteSpace loosened", [facet("whiteSpace", "preserve")]
    if kind == "moment":
        ends = {"dateTime": "2026-01-12T10:00:00", "date": "2026-01-12", "time": "10:00:00", "gYearMonth": "2026-01", "gYear": "2026"}
        for name in ("minInclusive", "minExclusive", "maxInclusive", "maxExclusive", "enumeration"):
            yield name, [facet(name, ends[base])]
            yield f"{name} with zone", [facet(name, ends[base] + "Z")]
            yield f"{name} of another type", [facet(name, "abc")]
        yield "pattern", [facet("pattern", "[0-9]{4}.*")]
    if kind == "boolean":
        yield "pattern", [facet("pattern", "1|0")]
        yield "minInclusive", [facet("minInclusive", "0")]


def derived(base, steps):
    """Type definitions of all steps, and the name of the last."""
    out, name = "", f"xs:{base}"
    for at, row in enumerate(steps):
        out += f'<xs:simpleType name="t{at}"><xs:restriction base="{name}">{"".join(row)}</xs:restriction></xs:simpleType>'
        name = f"t{at}"
    return out, name


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\t", "&#9;").replace("\n", "&#10;")


def simple_types():
    bases = TEXTS + ["decimal", "float", "double"] + WHOLE + TIMES + ["duration", "boolean", "hexBinary", "base64Binary"]
    for base in bases:
        values = [f"<v>{escaped(value)}</v>" for value in VALUES[kind_of(base)]]
        for label, steps in facets(base):
            types, name = derived(base, steps)
            yield f"{base}: {label}", f'{types}<xs:element name="v" type="{name}"/>', values
    for source in PATTERNS:
        types = f'<xs:simpleType name="t"><xs:restriction base="xs:string"><xs:pattern value="{source}"/></xs:restriction></xs:simpleType>'
        yield f"pattern: {source}", f'{types}<xs:element name="v" type="t"/>', [f"<v>{escaped(text)}</v>" for text in SUBJECTS]
    for one, other in (("integer", "boolean"), ("date", "dateTime"), ("token", "string"), ("decimal", "NCName")):
        types = f'<xs:simpleType name="t"><xs:union memberTypes="xs:{one} xs:{other}"/></xs:simpleType>'
        values = sorted(set(VALUES[kind_of(one)] + VALUES[kind_of(other)]))
        yield f"union: {one} {other}", f'{types}<xs:element name="v" type="t"/>', [f"<v>{escaped(value)}</v>" for value in values]


def attributes():
    """Use, fixed and default, wildcards, groups."""
    for use in ("", 'use="optional"', 'use="required"', 'use="prohibited"', 'use="sometimes"', 'fixed="1"', 'default="1"',
                'fixed="1" use="required"', 'default="1" use="required"', 'default="x"', 'fixed="1" default="1"'):
        for more in ("", '<xs:anyAttribute processContents="skip"/>', '<xs:anyAttribute namespace="##other" processContents="lax"/>'):
            body = f'<xs:element name="v"><xs:complexType><xs:attribute name="a" type="xs:int" {use}/>{more}</xs:complexType></xs:element>'
            documents = ["<v/>", '<v a="1"/>', '<v a=" 1 "/>', '<v a="01"/>', '<v a="2"/>', '<v a=""/>', '<v a="x"/>', '<v b="1"/>', "<v>x</v>",
                         '<v a="1" b="1"/>', '<v xmlns:o="urn:o" o:a="1"/>', "<v> </v>", "<v><w/></v>", "<v><!-- --></v>",
                         '<v xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="false"/>']
            yield f"attribute {use} {more}", body, documents


def particle(chance, depth, names):
    occurs = chance.choice(["", "", "", 'minOccurs="0"', 'minOccurs="0" maxOccurs="unbounded"', 'maxOccurs="unbounded"', 'maxOccurs="2"',
                            'minOccurs="2" maxOccurs="3"'])
    if depth == 0 or chance.random() < 0.55:
        return f'<xs:element name="{chance.choice(names)}" type="xs:string" {occurs}/>'
    group = chance.choice(["sequence", "choice"])
    inner = "".join(particle(chance, depth - 1, names) for _ in range(chance.randrange(1, 4)))
    return f"<xs:{group} {occurs}>{inner}</xs:{group}>"


def content_models():
    chance = random.Random(SEED)
    for number in range(MODELS):
        names = "abcdef"[:chance.randrange(3, 7)]
        if number % 10 == 0:
            rows = [f'<xs:element name="{name}" type="xs:string" {chance.choice(["", "minOccurs=" + chr(34) + "0" + chr(34)])}/>' for name in names]
            model = f'<xs:all {chance.choice(["", "minOccurs=" + chr(34) + "0" + chr(34)])}>{"".join(rows)}</xs:all>'
        else:
            model = f'<xs:{chance.choice(["sequence", "choice"])}>' + "".join(particle(chance, 2, names) for _ in range(chance.randrange(1, 4)))
            model += f"</xs:{model[4:model.index('>')]}>"
        mixed = chance.choice(["", "", 'mixed="true"'])
        if number % 4 == 1 and number % 10:
            more = particle(chance, 1, "gh")
            body = (f'<xs:complexType name="B">{model}</xs:complexType><xs:complexType name="D"><xs:complexContent><xs:extension base="B">'
                    f'<xs:sequence>{more}</xs:sequence></xs:extension></xs:complexContent></xs:complexType><xs:element name="v" type="D"/>')
            names += "gh"
        else:
            body = f'<xs:element name="v"><xs:complexType {mixed}>{model}</xs:complexType></xs:element>'
        documents = set()
        for _ in range(40):
            rows = [f"<{name}/>" for name in chance.choices(names, k=chance.randrange(0, 7))]
            documents.add("<v>" + "".join(rows if chance.random() < 0.5 else sorted(rows)) + chance.choice(["", "", "", "x", "<z/>"]) + "</v>")
        yield f"model {number}", body, sorted(documents)


def language(node):
    """The content model as a regular expression over one letter a child: what is right by definition."""
    tag = etree.QName(node).localname
    low, high = node.get("minOccurs", "1"), node.get("maxOccurs", "1").replace("unbounded", "")
    if tag == "element":
        body = node.get("name")
    elif tag == "choice":
        body = "|".join(language(child) for child in node)
    else:
        body = "".join(language(child) for child in node)
    return f"(?:{body}){{{low},{high}}}"


def right(schema, document):
    """Whether the children are a word of the language; None for xs:all, which is no row."""
    groups = [node for node in schema.iter() if etree.QName(node).localname in ("sequence", "choice", "all")]
    tops = [node for node in groups if etree.QName(node.getparent()).localname in ("complexType", "extension")]
    if any(etree.QName(node).localname == "all" for node in tops):
        return None
    root = etree.fromstring(document)
    text = "".join(root.itertext()) != "" and not any(node.get("mixed") for node in schema.iter())
    return not text and re.fullmatch("".join(map(language, tops)), "".join(child.tag for child in root)) is not None


def main():
    for source in (simple_types, attributes, content_models):
        for label, body, documents in source():
            text, schema, why, slips = f"{HEAD}{body}</xs:schema>", None, "", 0
            tree = etree.fromstring(text)
            try:
                schema = etree.XMLSchema(tree)
            except etree.XMLSchemaParseError as error:
                why = str(error)
            cases = [[document, schema.validate(etree.fromstring(document))] for document in documents] if schema else []
            for case in cases if source is content_models else []:
                truth = right(tree, case[0])
                if truth is not None and truth != case[1]:
                    case[1], slips = truth, slips + 1
            print(json.dumps({"label": label, "schema": text, "accepted": schema is not None, "why": why, "slips": slips,
                              "cases": cases}))


main()
