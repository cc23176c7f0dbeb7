//! Contexts for plugin instances: each gets a data folder of its own.

use crate::TracingLog;
use kouan_sdk::{Clock, Context, Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Makes contexts below one data folder.
#[derive(Clone)]
pub struct Contexts {
    data_dir: PathBuf,
    base_dir: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Contexts {
    /// `data_dir`: where instances keep their files; `base_dir`: where relative paths of the configuration start.
    pub fn new(data_dir: impl Into<PathBuf>, base_dir: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { data_dir: data_dir.into(), base_dir: base_dir.into(), clock }
    }

    /// The context of `instance` in the role `kind`, with the folder `<data>/<kind>/<instance>`, which is made.
    ///
    /// `KOUAN-HOST-DATA-DIR` if the folder cannot be made, or if a name would lead out of the data folder.
    pub fn context(&self, kind: &str, instance: &str) -> Result<Context> {
        let fault = |why: String| Error::new(ErrorKind::Config, "KOUAN-HOST-DATA-DIR", why);
        for name in [kind, instance] {
            let harmless = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0', ':']);
            if !harmless {
                return Err(fault(format!("\"{}\" cannot name a plugin's folder", name.escape_debug())));
            }
        }
        let data_dir = self.data_dir.join(kind).join(instance);
        std::fs::create_dir_all(&data_dir).map_err(|e| fault(format!("{}: {e}", data_dir.display())))?;
        Ok(Context {
            instance: instance.to_owned(),
            data_dir,
            base_dir: self.base_dir.clone(),
            clock: self.clock.clone(),
            log: Arc::new(TracingLog),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kouan_sdk::SystemClock;

    #[test]
    fn every_instance_has_its_own_folder_and_none_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let contexts = Contexts::new(folder.path(), ".", Arc::new(SystemClock));
        let context = contexts.context("site", "erp").unwrap();
        assert_eq!(context.data_dir, folder.path().join("site/erp"));
        assert!(context.data_dir.is_dir());
        for bad in ["", "..", "a/b", "a\\b", "C:"] {
            assert_eq!(contexts.context("site", bad).err().unwrap().code, "KOUAN-HOST-DATA-DIR", "{bad:?}");
        }
    }
}
