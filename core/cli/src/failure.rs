//! What a failed command tells: which named error it was, however it is wrapped, and the words for it.

use kouan_journal::JournalError;
use kouan_kernel::KernelError;
use kouan_kernel::config::ConfigError;
use kouan_sdk::{Error, ErrorKind};

/// Code and kind of the first named error in the chain.
pub fn named(error: &anyhow::Error) -> Option<(&str, ErrorKind)> {
    error.chain().find_map(|cause| {
        let of_plugin = cause.downcast_ref::<Error>().map(|error| (&*error.code, error.kind));
        let of_config = || cause.downcast_ref::<ConfigError>().map(config);
        let of_journal = || cause.downcast_ref::<JournalError>().map(journal);
        // A transparent error stands in the chain itself, in place of the one that it holds.
        let of_kernel = || match cause.downcast_ref::<KernelError>()? {
            KernelError::Config(error) => Some(config(error)),
            KernelError::Journal(error) => Some(journal(error)),
            KernelError::Io { source, .. } => Some(("KOUAN-KERNEL-FILE", of_file(source))),
            _ => None,
        };
        of_plugin.or_else(of_config).or_else(of_journal).or_else(of_kernel)
    })
}

fn config(error: &ConfigError) -> (&str, ErrorKind) {
    (error.code, ErrorKind::Config)
}

fn journal(error: &JournalError) -> (&str, ErrorKind) {
    (error.code(), error.kind())
}

/// A path that leads nowhere is the configuration's fault; what else a file refuses may pass.
fn of_file(error: &std::io::Error) -> ErrorKind {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory => ErrorKind::Config,
        _ => ErrorKind::Unavailable,
    }
}

/// The causes in one line, none told twice.
pub fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Some errors tell their cause themselves.
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text
}

/// The same with the code at the end.
pub fn text(error: &anyhow::Error) -> String {
    let text = causes(error);
    match named(error) {
        Some((code, _)) if !text.contains(code) => format!("{text} [{code}]"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn every_room_s_error_is_named_however_it_is_wrapped() {
        let environment = || JournalError::Environment { found: "test".into(), wanted: "production".into() };
        let wrong = || ConfigError::whole("kouan.toml".as_ref(), "KOUAN-CONFIG-INVALID", "no identity");
        let plugin = || Error::new(ErrorKind::Unavailable, "KOUAN-TEST-X", "gone");
        let all: [(anyhow::Error, &str, ErrorKind); 6] = [
            (environment().into(), "KOUAN-JOURNAL-ENVIRONMENT", ErrorKind::Config),
            (KernelError::from(environment()).into(), "KOUAN-JOURNAL-ENVIRONMENT", ErrorKind::Config),
            (wrong().into(), "KOUAN-CONFIG-INVALID", ErrorKind::Config),
            (KernelError::from(wrong()).into(), "KOUAN-CONFIG-INVALID", ErrorKind::Config),
            (plugin().into(), "KOUAN-TEST-X", ErrorKind::Unavailable),
            (KernelError::plugin("the window")(plugin()).into(), "KOUAN-TEST-X", ErrorKind::Unavailable),
        ];
        for (error, code, kind) in all {
            let error = error.context("while looking");
            assert_eq!(named(&error), Some((code, kind)));
            let told = text(&error);
            assert!(told.starts_with("while looking: ") && told.matches(code).count() == 1, "{told}");
        }
        assert_eq!(named(&anyhow::anyhow!("x")), None);
    }

    #[test]
    fn no_cause_is_told_twice() {
        let io = || std::io::Error::other("no such file");
        let telling = anyhow::anyhow!(io()).context("read a: no such file");
        assert_eq!(text(&telling), "read a: no such file");
        let silent = Err::<(), _>(io()).context("read a").unwrap_err();
        assert_eq!(text(&silent), "read a: no such file");
    }
}
