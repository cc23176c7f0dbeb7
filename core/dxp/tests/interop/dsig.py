"""XML signatures of the exchange envelope by lxml, libxml2 and openssl, nothing of ours.

  dsig.py verify FILE CERT.pem     verifies the enveloped signature of FILE; prints OK or the step that fails
  dsig.py make FOLDER              makes a key, a certificate and signed files of several styles in FOLDER
"""

import base64
import os
import subprocess
import sys

import nodeset
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
DXP = "http://www.chinaport.gov.cn/dxp"
SM = "http://www.chinaport.gov.cn/2022/04/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
USER_ID = "1234567812345678"
# SignatureMethod, DigestMethod, openssl's digest for each.
ALGORITHMS = {
    "sm": (SM + "sm2-sm3", SM + "sm3", "sm3", "sm3"),
    "old-sm": (DS + "sm2-sm3", DS + "sm3", "sm3", "sm3"),
    "mixed-sm": (DS + "sm2-sm3", DS + "sha1", "sm3", "sha1"),
    "rsa": (DS + "rsa-sha1", DS + "sha1", "sha1", "sha1"),
}


def openssl(*arguments, data=None, check=True):
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True)
    if check and done.returncode:
        raise SystemExit(f"openssl {arguments}: {done.stderr.decode()}")
    return done.stdout if check else done.returncode == 0


def digest(data, name):
    return openssl("dgst", f"-{name}", "-binary", data=data)


def der(raw):
    def integer(part):
        part = part.lstrip(b"\0") or b"\0"
        part = (b"\0" if part[0] & 0x80 else b"") + part
        return bytes([2, len(part)]) + part

    body = integer(raw[:32]) + integer(raw[32:])
    return bytes([0x30, len(body)]) + body


def raw(encoded):
    at, parts = 2, []
    for _ in range(2):
        length = encoded[at + 1]
        parts.append(encoded[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0"))
        at += 2 + length
    return b"".join(parts)


def user_id(algorithm, identity=USER_ID):
    return ["-sigopt", f"distid:{identity}"] if "sm" in algorithm else []


def without_signature(tree):
    """The enveloped-signature transform: the element goes, the text behind it stays."""
    twin = etree.fromstring(etree.tostring(tree)).getroottree()
    element = twin.getroot().find(f"{{{DS}}}Signature")
    before, tail = element.getprevious(), element.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        twin.getroot().text = (twin.getroot().text or "") + tail
    twin.getroot().remove(element)
    return etree.tostring(twin, method="c14n", with_comments=False)


def verify(path, certificate):
    tree = etree.parse(path)
    signature = tree.getroot().find(f"{{{DS}}}Signature")
    text = lambda name: signature.find(f".//{{{DS}}}{name}").text
    method = signature.find(f".//{{{DS}}}SignatureMethod").get("Algorithm")
    algorithm, (_, _, signing, digesting) = next((k, v) for k, v in ALGORITHMS.items() if v[0] == method)
    if digest(without_signature(tree), digesting) != base64.b64decode(text("DigestValue")):
        raise SystemExit("digest does not match")
    signed_info = nodeset.canonical(open(path, "rb").read(), "SignedInfo")
    value = base64.b64decode(text("SignatureValue"))
    open(path + ".info", "wb").write(signed_info)
    open(path + ".sig", "wb").write(der(value) if "sm" in algorithm else value)
    open(path + ".pub", "wb").write(openssl("x509", "-in", certificate, "-pubkey", "-noout"))
    good = openssl("dgst", f"-{signing}", *user_id(algorithm), "-verify", path + ".pub", "-signature", path + ".sig",
                   path + ".info", check=False)
    if not good:
        raise SystemExit("signature does not match")
    print("OK")


def make_key(folder, algorithm):
    key, certificate = f"{folder}/{algorithm}.key", f"{folder}/{algorithm}.pem"
    if "sm" in algorithm:
        openssl("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", key)
    else:
        openssl("genrsa", "-out", key, "1024")
    hashing = ["-sm3"] if "sm" in algorithm else ["-sha256"]
    openssl("req", "-x509", "-new", *hashing, *user_id(algorithm), "-key", key, "-out", certificate, "-days", "3650",
            "-set_serial", "0x0300000000abcdef", "-subj", "/C=CN/O=Test/CN=Kouan interop", "-addext",
            "keyUsage=digitalSignature")
    serial = openssl("x509", "-in", certificate, "-serial", "-noout").decode().split("=")[1].strip().lower()
    return key, certificate, serial


def sign(document, key, certificate, serial, algorithm, ds="", identity=USER_ID, line_breaks=False, x509=False):
    """Puts a Signature (prefix ds) before the root's end, with place-holders, then fills in digest and value."""
    method, digest_method, signing, digesting = ALGORITHMS[algorithm]
    p = ds + ":" if ds else ""
    declaration = f' xmlns{":" + ds if ds else ""}="{DS}"'
    body = "".join(openssl("x509", "-in", certificate).decode().split("\n")[1:-2])
    data = f"<{p}X509Data><{p}X509Certificate>{body}</{p}X509Certificate></{p}X509Data>" if x509 else ""
    element = (
        f'<{p}Signature{declaration}>\r\n<{p}SignedInfo><{p}CanonicalizationMethod Algorithm="{C14N}"/>\n'
        f'  <{p}SignatureMethod Algorithm="{method}"/><{p}Reference URI=""><{p}Transforms>'
        f'<{p}Transform Algorithm="{DS}enveloped-signature"/></{p}Transforms>'
        f'<{p}DigestMethod Algorithm="{digest_method}"/><{p}DigestValue>DIGEST</{p}DigestValue></{p}Reference>'
        f"</{p}SignedInfo><{p}SignatureValue>VALUE</{p}SignatureValue>"
        f"<{p}KeyInfo><{p}KeyName>{serial}</{p}KeyName>{data}</{p}KeyInfo></{p}Signature>\r\n"
    )
    at = document.rindex("</")
    document = document[:at] + element + document[at:]
    encoding = "gb18030" if "GB" in document[:60] else "utf-8"
    tree = etree.fromstring(document.encode(encoding)).getroottree()
    document = document.replace("DIGEST", base64.b64encode(digest(without_signature(tree), digesting)).decode())
    info = nodeset.canonical(document.encode(encoding), "SignedInfo")
    value = openssl("dgst", f"-{signing}", *user_id(algorithm, identity), "-sign", key, data=info)
    value = base64.b64encode(raw(value) if "sm" in algorithm else value).decode()
    if line_breaks:
        value = "\r\n" + "&#xD;\n".join(value[i : i + 32] for i in range(0, len(value), 32)) + "\r\n"
    return document.replace("VALUE", value).encode(encoding)


def envelope(pretty, encoding="UTF-8"):
    n, i = ("\r\n", "\r\n\t") if pretty else ("", "")
    payload = base64.b64encode("<DecMessage xmlns='http://www.chinaport.gov.cn/dec'>示例</DecMessage>".encode()).decode()
    if pretty:
        payload = "\n" + "&#xD;\n".join(payload[k : k + 20] for k in range(0, len(payload), 20))
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>{n}<DxpMsg  ver="1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f" xmlns='{DXP}'>{i}<TransInfo><CopMsgId>DXPDSWDEC0000002202601120935100001</CopMsgId>"
        f"<SenderId>DXPDSWDEC0000002</SenderId><ReceiverIds><ReceiverId>DXPENT0000000001</ReceiverId></ReceiverIds>"
        f"<CreatTime>2026-01-12T09:35:10</CreatTime>{n}<MsgType>DECCUS001</MsgType></TransInfo>{i}<Data>{payload}</Data>{i}"
        f"<AddInfo><FileName>发票 &amp; <![CDATA[<1>]]>.xml</FileName><IcCard/><BizKey><Key name='RetType'/>"
        f"<Key name='a&#x9;&lt;b'>x&gt;y</Key></BizKey></AddInfo>{n}</DxpMsg>"
    )


def make(folder):
    business = (
        '<ceb:CEB311Message xmlns:ceb="http://www.chinaport.gov.cn/ceb" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' guid="311af125-6fed-4603-8c5d-49b1fa4b4b9b" version="1.0">\n  <ceb:Order>示例</ceb:Order>\n</ceb:CEB311Message>'
    )
    for algorithm in ("sm", "old-sm", "mixed-sm", "rsa"):
        key, certificate, serial = make_key(folder, algorithm)
        files = {"plain": sign(envelope(False), key, certificate, serial, algorithm)}
        if algorithm == "sm":
            files |= {
                "pretty": sign(envelope(True), key, certificate, serial, algorithm, "ds", line_breaks=True, x509=True),
                "gb": sign(envelope(True, "GB18030"), key, certificate, serial, algorithm, "dsig"),
                "empty-id": sign(envelope(False), key, certificate, serial, algorithm, identity=""),
            }
        files["business"] = sign(business, key, certificate, serial, algorithm, "ds", x509=True, line_breaks=True)
        for name, data in files.items():
            open(f"{folder}/{algorithm}-{name}.xml", "wb").write(data)
    print(" ".join(sorted(os.listdir(folder))))


if sys.argv[1] == "verify":
    verify(sys.argv[2], sys.argv[3])
else:
    make(sys.argv[2])
