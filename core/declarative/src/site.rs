//! What a site has of its own for a business: a folder in place of the built-in data, and code tables laid over it.

use crate::data::broken;
use kouan_schema::CodeTable;
use kouan_sdk::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A site's own data for one business; the default is none.
#[derive(Debug, Clone, Default)]
pub struct SiteData {
    /// The folder that stands for the built-in data (`schemas`).
    pub folder: Option<PathBuf>,
    /// Code tables that go before those of the data, by name (`codes`).
    pub tables: Vec<Arc<CodeTable>>,
}

impl SiteData {
    /// What the settings of `business` name; relative paths start at `base`, the configuration's folder.
    ///
    /// # Errors
    /// `KOUAN-DECLARATIVE-DATA` or `KOUAN-SCHEMA-BAD-CODES` with the file, and the line in it.
    pub fn read(base: &Path, business: &str, schemas: Option<&str>, codes: Option<&str>) -> Result<Self> {
        let tables = site_tables(&codes_folder(base, business, codes))?;
        Ok(Self { folder: schemas.map(|folder| base.join(folder)), tables: tables.into_iter().map(|t| t.1).collect() })
    }

    /// Whether the built-in data is all there is.
    pub fn is_none(&self) -> bool {
        self.folder.is_none() && self.tables.is_empty()
    }
}

/// The folder of a site's code tables: `codes` of the configuration, or `codes/<business>` beside the configuration.
pub fn codes_folder(base: &Path, business: &str, codes: Option<&str>) -> PathBuf {
    codes.map_or_else(|| base.join("codes").join(business), |folder| base.join(folder))
}

/// The tables of such a folder, each with its file, by file name; a folder that is not there has none.
///
/// # Errors
/// As [`SiteData::read`]; also if a table stands in two files.
pub fn site_tables(folder: &Path) -> Result<Vec<(PathBuf, Arc<CodeTable>)>> {
    let unreadable = |path: &Path, error: &std::io::Error| broken(&path.display().to_string(), &error.to_string());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && path.extension().is_some_and(|found| found == "csv") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut tables: Vec<(PathBuf, Arc<CodeTable>)> = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        let mut table = CodeTable::read(&path.display().to_string(), &bytes)?;
        table.of_site = true;
        if let Some((other, _)) = tables.iter().find(|(_, known)| known.name == table.name) {
            let text = format!("{}: the code table {} stands in {}, too", path.display(), table.name, other.display());
            return Err(Error::new(ErrorKind::Config, "KOUAN-SCHEMA-DUPLICATE", text));
        }
        tables.push((path, Arc::new(table)));
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# table=port\n# complete=no\ncode,zh,en,from,to\nA,甲,,,\n";

    #[test]
    fn tables_are_found_by_default_or_where_the_configuration_says() {
        let base = tempfile::tempdir().unwrap();
        let read = |codes: Option<&str>| SiteData::read(base.path(), "ships", None, codes);
        assert!(read(None).unwrap().is_none() && read(Some("elsewhere")).unwrap().is_none());
        for folder in ["codes/ships", "elsewhere"] {
            std::fs::create_dir_all(base.path().join(folder)).unwrap();
            std::fs::write(base.path().join(folder).join("port.csv"), TABLE).unwrap();
            std::fs::write(base.path().join(folder).join(".port.csv.tmp"), "half").unwrap();
        }
        assert!(read(None).unwrap().tables[0].of_site);
        assert_eq!(read(Some("elsewhere")).unwrap().tables.len(), 1);
    }

    #[test]
    fn a_broken_table_is_named_with_its_line() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("port.csv");
        std::fs::write(&path, format!("{TABLE},乙,,,\n")).unwrap();
        let error = site_tables(base.path()).unwrap_err();
        assert_eq!((error.kind, &*error.code), (ErrorKind::Config, "KOUAN-SCHEMA-BAD-CODES"));
        assert!(error.message.contains("port.csv:5:"), "{error}");
        std::fs::write(&path, TABLE).unwrap();
        std::fs::write(base.path().join("other.csv"), TABLE).unwrap();
        assert_eq!(site_tables(base.path()).unwrap_err().code, "KOUAN-SCHEMA-DUPLICATE");
        assert_eq!(site_tables(&path).unwrap_err().code, "KOUAN-DECLARATIVE-DATA", "a file is no folder");
    }
}
