//! Catches a plugin's panic at the border.

use kouan_sdk::{Error, ErrorKind, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `call`; a panic becomes `KOUAN-HOST-PLUGIN-PANICKED`. `what` names plugin and call.
///
/// The instance must not be used again after a panic (hence `AssertUnwindSafe` is sound in spirit: whoever catches here
/// retires the instance).
pub(crate) fn catch<R>(what: impl FnOnce() -> String, call: impl FnOnce() -> R) -> Result<R> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let text = text_of(payload.as_ref());
        drop_quietly(payload);
        Error::new(ErrorKind::Panicked, "KOUAN-HOST-PLUGIN-PANICKED", format!("{} panicked: {text}", what()))
    })
}

/// Drops what may panic or hang in its destructor, away from the caller's thread.
pub(crate) fn drop_aside<T: Send + 'static>(value: T) {
    // Without a thread the value is dropped here, by the closure's own end: worse, but not wrong.
    let _ = std::thread::Builder::new().name("plugin-drop".to_owned()).spawn(move || drop_quietly(value));
}

fn drop_quietly<T>(value: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no text".to_owned()).chars().take(300).collect()
}
