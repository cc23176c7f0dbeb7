//! Exit codes: a contract with scripts.

use crate::failure;
use kouan_sdk::ErrorKind;
use std::process::ExitCode;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, and all is right.
    Done,
    /// 1: the thing checked is not right (findings, unhealthy, not verified).
    NotRight,
    /// 2: wrong usage.
    Usage,
    /// 3: not reachable; try again.
    Unreachable,
    /// 78: bad configuration.
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::NotRight => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Config => 78,
        })
    }
}

/// The command line asks for something that cannot be done: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

/// How a command ends that failed with `error`.
pub fn of(error: &anyhow::Error) -> Exit {
    match failure::named(error) {
        Some((_, ErrorKind::Config)) => return Exit::Config,
        Some((_, ErrorKind::Unavailable | ErrorKind::Timeout)) => return Exit::Unreachable,
        Some(_) => return Exit::NotRight,
        None => {}
    }
    for cause in error.chain() {
        if cause.is::<WrongUsage>() {
            return Exit::Usage;
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::BrokenPipe
        {
            // `| head` has seen enough.
            return Exit::Done;
        }
    }
    Exit::NotRight
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;
    use kouan_journal::JournalError;
    use kouan_kernel::KernelError;
    use kouan_sdk::Error;

    #[test]
    fn the_cause_decides_however_it_is_wrapped() {
        let wrapped = |error: anyhow::Error| Err::<(), _>(error).context("while looking").unwrap_err();
        let of_kind = |kind| of(&wrapped(Error::new(kind, "KOUAN-TEST-X", "x").into()));
        assert_eq!(of_kind(ErrorKind::Config), Exit::Config);
        assert_eq!(of_kind(ErrorKind::Unavailable), Exit::Unreachable);
        assert_eq!(of_kind(ErrorKind::Timeout), Exit::Unreachable);
        assert_eq!(of_kind(ErrorKind::Invalid), Exit::NotRight);
        assert_eq!(of(&wrapped(WrongUsage("x".into()).into())), Exit::Usage);
        let of_journal = |error: JournalError| of(&wrapped(KernelError::Journal(error).into()));
        assert_eq!(of_journal(JournalError::InUse { path: "x".into() }), Exit::Unreachable);
        assert_eq!(of_journal(JournalError::NotAJournal { path: "x".into() }), Exit::Config);
        let pipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(of(&wrapped(pipe.into())), Exit::Done);
        assert_eq!(of(&anyhow::anyhow!("x")), Exit::NotRight);
    }
}
