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

/// The whole chain in one line, with the code.
pub fn text(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    match named(error) {
        Some((code, _)) if !text.contains(code) => format!("{text} [{code}]"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
