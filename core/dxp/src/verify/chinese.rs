//! The steps in Chinese (中文): what was asked, what should be, what is.

use super::{Requirement, Step};
use kouan_sdk::catalogue;
use std::borrow::Cow;

impl Requirement {
    /// Its name in Chinese.
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::OneSignature => "签名个数",
            Self::Place => "签名位置",
            Self::Form => "签名结构",
            Self::Canonicalization => "规范化方法",
            Self::Reference => "引用",
            Self::Transforms => "变换",
            Self::DigestKnown => "摘要算法",
            Self::MethodKnown => "签名算法",
            Self::Digest => "摘要",
            Self::Certificate => "证书",
            Self::Value => "签名值",
            Self::Signature => "验签",
            Self::DigestAllowed => "允许的摘要算法",
            Self::MethodAllowed => "允许的签名算法",
            Self::ValueAllowed => "允许的签名值形式",
            Self::NoComments => "无注释",
            Self::Trust => "信任",
        }
    }
}

impl Step {
    /// What should be, in Chinese; digests, algorithms and names are as they are.
    pub fn expected_zh(&self) -> Cow<'_, str> {
        self.in_chinese(&self.expected)
    }

    /// What is, alike.
    pub fn got_zh(&self) -> Cow<'_, str> {
        self.in_chinese(&self.got)
    }

    fn in_chinese<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if let Some(zh) = phrase(text).map(Cow::Borrowed).or_else(|| value(text).map(Cow::Owned)) {
            return zh;
        }
        // The words of a room below, such as why a certificate is not trusted: its code has them in Chinese.
        match catalogue::lookup(self.code).filter(|_| is_prose(text)) {
            Some(entry) => Cow::Borrowed(entry.cause_zh.trim_end_matches('。')),
            None => Cow::Borrowed(text),
        }
    }
}

/// What the steps say word for word.
fn phrase(text: &str) -> Option<&'static str> {
    Some(match text {
        "one Signature" => "一个 Signature",
        "none" => "无",
        "child of the root (depth 2)" => "根元素的子元素（第 2 层）",
        "well-formed" => "符合规范",
        "no SignedInfo" => "缺 SignedInfo",
        "no SignatureValue" => "缺 SignatureValue",
        "one, URI=\"\"" => "一个，URI=\"\"",
        "a known one" => "已知的算法",
        "a configured certificate by KeyName, or one in KeyInfo" => "按 KeyName 配置的证书，或 KeyInfo 中的证书",
        "made by the certificate's key over SignedInfo" => "由该证书的密钥对 SignedInfo 签出",
        "it is not" => "不是",
        "64 bytes raw, or DER" => "64 字节的原始值，或 DER",
        "raw" => "原始值",
        "raw or DER" => "原始值或 DER",
        "trusted" => "可信",
        "no certificate to trust" => "没有可供信任的证书",
        "its key usage does not allow signing" => "密钥用途不允许签名",
        _ => return None,
    })
}

/// What they say around a value.
fn value(text: &str) -> Option<String> {
    let after = |begins: &str, zh: &str| text.strip_prefix(begins).map(|value| format!("{zh}{value}"));
    let number = |begins: &str, ends: &str| {
        text.strip_prefix(begins)?.strip_suffix(ends).filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let place = || {
        let (line, column) = text.strip_prefix("line ")?.split_once(", column ")?;
        Some(format!("第 {line} 行第 {column} 列"))
    };
    let unknown_name = || {
        let name = text.strip_prefix("KeyName ")?.strip_suffix(" is not configured, no X509Certificate")?;
        Some(format!("KeyName {name} 未配置，也没有 X509Certificate"))
    };
    number("", " bytes")
        .map(|n| format!("{n} 字节"))
        .or_else(|| number("depth ", "").map(|n| format!("第 {n} 层")))
        .or_else(|| after("unexpected or repeated ", "意外或重复的 "))
        .or_else(|| after("configured, ", "已配置："))
        .or_else(|| after("in KeyInfo, ", "KeyInfo 中："))
        .or_else(|| after("a key of kind ", "密钥种类 "))
        .or_else(|| after("user id ", "用户标识 "))
        .or_else(place)
        .or_else(unknown_name)
}

/// Whether somebody's words stand there, and no value: two plain words in a row.
fn is_prose(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    text.split(' ').zip(text.split(' ').skip(1)).any(|(one, next)| is_word(one) && is_word(next))
}
