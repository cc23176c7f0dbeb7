//! Holds what lies in the zip against what the declaration names (`domain/goods-declaration.md` §3.4).

use crate::edoc;
use crate::facts::Edoc;
use kouan_schema::MOST_FINDINGS;
use kouan_sdk::business::Package;
use kouan_sdk::{Finding, Severity};
use std::collections::{BTreeMap, BTreeSet};

const MISSING: &str = "KOUAN-DEC-ATTACHMENT-MISSING";
const EXTRA: &str = "KOUAN-DEC-ATTACHMENT-EXTRA";
const NOT_PDF: &str = "KOUAN-DEC-ATTACHMENT-NOT-PDF";
const TOO_BIG: &str = "KOUAN-DEC-ATTACHMENT-TOO-BIG";
const SIZE: &str = "KOUAN-DEC-ATTACHMENT-SIZE";
/// All rules of this file.
pub(crate) const CODES: [&str; 5] = [MISSING, EXTRA, NOT_PDF, TOO_BIG, SIZE];

/// Bytes of a megabyte.
const MEGABYTE: usize = 1 << 20;

/// What is wrong, each with the number (from 0) of the EdocRealation that it speaks of; no more of it than a report holds.
pub(crate) fn findings(package: &Package<'_>, edocs: &[Edoc], limit_mb: u32) -> Vec<(Finding, Option<usize>)> {
    let files: BTreeMap<&str, &[u8]> = package.attachments.iter().map(|file| (file.name, file.bytes)).collect();
    let named: BTreeSet<&str> =
        edocs.iter().filter(|edoc| edoc.has_file()).map(|edoc| edoc.file_name.as_str()).collect();
    let is_bare = files.is_empty() && !package.file_name.to_ascii_lowercase().ends_with(".zip");
    let of_edoc = |(number, edoc): (usize, &Edoc)| {
        let found = match files.get(edoc.file_name.as_str()) {
            Some(bytes) => of_file(edoc, bytes, limit_mb),
            None => vec![missing(edoc, is_bare)],
        };
        found.into_iter().map(move |finding| (finding, Some(number)))
    };
    let of_edocs = edocs.iter().enumerate().filter(|(_, edoc)| edoc.has_file()).flat_map(of_edoc);
    let extra = files.keys().filter(|name| !named.contains(*name)).map(|name| (extra(name), None));
    let (mut errors, mut others) = (0, 0);
    // Counted apart, so that no crowd of warnings hides an error.
    let fits = |(finding, _): &(Finding, _)| {
        let count = if finding.severity == Severity::Error { &mut errors } else { &mut others };
        *count += 1;
        *count <= MOST_FINDINGS
    };
    of_edocs.chain(extra).filter(fits).collect()
}

/// A bare xml may name attachments that were sent before, or that go up by hand.
fn missing(edoc: &Edoc, is_bare: bool) -> Finding {
    let name = &edoc.file_name;
    if is_bare {
        return Finding::whole(
            MISSING,
            Severity::Warning,
            format!("报文提到随附单据 {name}，但只投递了 xml，没有文件随发"),
            format!("the message names the attachment {name}, but came without any file"),
        )
        .with_hint(
            "需要随发时，把 xml 与文件放进同名压缩包",
            "to send it along, put the xml and its files into one zip of the same stem",
        );
    }
    Finding::whole(
        MISSING,
        Severity::Error,
        format!("压缩包内没有随附单据文件 {name}"),
        format!("the zip has no file {name}, which an EdocRealation names"),
    )
    .with_hint("文件名与 EdocCopId 必须一字不差", "the file name must be EdocCopId, character for character")
}

fn extra(name: &str) -> Finding {
    Finding::whole(
        EXTRA,
        Severity::Error,
        format!("压缩包内的文件 {name} 没有对应的随附单据 EdocRealation"),
        format!("no EdocRealation names the file {name} in the zip"),
    )
    .with_hint(
        "补一条 EdocRealation（EdocCopId 写文件名），或从压缩包中移除",
        "add an EdocRealation with this EdocCopId, or leave the file out",
    )
}

fn of_file(edoc: &Edoc, bytes: &[u8], limit_mb: u32) -> Vec<Finding> {
    let name = &edoc.file_name;
    let mut findings = Vec::new();
    if !edoc::is_pdf(bytes) {
        let finding = Finding::whole(
            NOT_PDF,
            Severity::Error,
            format!("随附单据 {name} 不是 PDF 文件"),
            format!("the attachment {name} is no PDF"),
        );
        findings.push(finding.with_hint("转换为 PDF 后再投递", "turn it into a PDF"));
    }
    let limit = usize::try_from(limit_mb).unwrap_or(usize::MAX).saturating_mul(MEGABYTE);
    if bytes.len() > limit {
        let finding = Finding::whole(
            TOO_BIG,
            Severity::Warning,
            format!("随附单据 {name} 有 {} 字节，超过 {limit_mb} MB", bytes.len()),
            format!("the attachment {name} has {} bytes, more than {limit_mb} MB", bytes.len()),
        );
        findings.push(finding.with_hint("降低扫描分辨率或拆分文件", "scan it with fewer dots, or split it"));
    }
    if edoc.size.parse::<usize>().is_ok_and(|said| said != bytes.len()) {
        let finding = Finding::whole(
            SIZE,
            Severity::Warning,
            format!("随附单据 {name} 实际 {} 字节，EdocSize 写的是 {}", bytes.len(), edoc.size),
            format!("the attachment {name} has {} bytes, its EdocSize says {}", bytes.len(), edoc.size),
        );
        findings.push(finding.with_hint("核对是否放错了文件", "see whether it is the right file"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use kouan_sdk::business::Attachment;

    const PDF: &[u8] = b"%PDF-1.4\n%%EOF\n";

    fn found(file_name: &str, edocs: &[Edoc], files: &[(&str, &[u8])]) -> Vec<(String, Severity, Option<usize>)> {
        let attachments: Vec<_> = files.iter().map(|&(name, bytes)| Attachment { name, bytes }).collect();
        let package = Package { file_name, stem: "A1", form_id: None, document: b"", attachments: &attachments };
        findings(&package, edocs, 1).into_iter().map(|(f, number)| (f.rule, f.severity, number)).collect()
    }

    fn edoc(name: &str, format: &str, size: &str) -> Edoc {
        Edoc { file_name: name.into(), format: format.into(), size: size.into(), ..Edoc::default() }
    }

    #[test]
    fn each_file_is_named_once_and_is_what_it_says() {
        let edocs = [edoc("发票.pdf", "US", "15"), edoc("委托", "S", ""), edoc("箱单.pdf", "US", "")];
        assert_eq!(found("A1.zip", &edocs, &[("发票.pdf", PDF), ("箱单.pdf", PDF)]), []);
        let wrong = found("A1.zip", &edocs, &[("发票.PDF", PDF), ("箱单.pdf", b"PK")]);
        let expected = [
            (MISSING.into(), Severity::Error, Some(0)),
            (NOT_PDF.into(), Severity::Error, Some(2)),
            (EXTRA.into(), Severity::Error, None),
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn a_bare_xml_that_names_attachments_gets_a_warning() {
        let edocs = [edoc("发票.pdf", "US", "")];
        assert_eq!(found("A1.xml", &edocs, &[]), [(MISSING.into(), Severity::Warning, Some(0))]);
        assert_eq!(found("A1.ZIP", &edocs, &[]), [(MISSING.into(), Severity::Error, Some(0))]);
    }

    #[test]
    fn size_and_limit_are_warnings() {
        let mut big = PDF.to_vec();
        big.resize(MEGABYTE + 1, b' ');
        let found = found("A1.zip", &[edoc("发票.pdf", "US", "15")], &[("发票.pdf", &big)]);
        assert_eq!(found, [(TOO_BIG.into(), Severity::Warning, Some(0)), (SIZE.into(), Severity::Warning, Some(0))]);
    }
}
