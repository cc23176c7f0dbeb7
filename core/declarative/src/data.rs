//! A business's files: built in, or of a folder that a site names.

use include_dir::Dir;
use kouan_sdk::{Error, ErrorKind, Result};
use regex::Regex;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Text files: name and text.
pub type Files = Vec<(String, String)>;

/// The folders that kouan-schema reads, and their files' endings.
const SCHEMA_FOLDERS: [(&str, &str); 3] = [("xsd", "xsd"), ("rules", "toml"), ("codes", "csv")];

/// Where a business's files are.
#[derive(Debug, Clone, Copy)]
pub enum Place<'p> {
    /// In the binary.
    BuiltIn(&'static Dir<'static>),
    /// In a folder.
    Folder(&'p Path),
}

impl Place<'_> {
    /// One text file.
    ///
    /// # Errors
    /// `KOUAN-DECLARATIVE-DATA` if it is not there or no UTF-8.
    pub fn text(&self, name: &str) -> Result<String> {
        match self {
            Self::BuiltIn(dir) => {
                let file = dir.get_file(name).ok_or_else(|| broken(name, "it is not there"))?;
                file.contents_utf8().map(str::to_owned).ok_or_else(|| broken(name, "it is no UTF-8"))
            }
            Self::Folder(folder) => text(&folder.join(name)),
        }
    }

    /// One TOML file.
    ///
    /// # Errors
    /// `KOUAN-DECLARATIVE-DATA` with the place in the file.
    pub fn toml<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        toml::from_str(&self.text(name)?).map_err(|e| broken(name, &e.to_string()))
    }

    /// Schemas, rules and code tables, for kouan-schema, each named by its file name alone; a folder that is not there is
    /// empty.
    ///
    /// # Errors
    /// `KOUAN-DECLARATIVE-DATA` if a file cannot be read.
    pub fn schema_files(&self) -> Result<Files> {
        let mut all = Files::new();
        for (folder, extension) in SCHEMA_FOLDERS {
            all.extend(self.files(folder, extension)?);
        }
        Ok(all)
    }

    fn files(&self, folder: &str, extension: &str) -> Result<Files> {
        let mut files = Files::new();
        match self {
            Self::BuiltIn(dir) => {
                for file in dir.get_dir(folder).into_iter().flat_map(Dir::files) {
                    let Some(name) = file.path().file_name().and_then(|name| name.to_str()) else { continue };
                    if file.path().extension().is_some_and(|found| found == extension) {
                        let text = file.contents_utf8().ok_or_else(|| broken(name, "it is no UTF-8"))?;
                        files.push((name.to_owned(), text.to_owned()));
                    }
                }
            }
            Self::Folder(base) => {
                let path = base.join(folder);
                let entries = match std::fs::read_dir(&path) {
                    Ok(entries) => entries,
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound && base.is_dir() => return Ok(files),
                    Err(e) => return Err(broken(&path.display().to_string(), &e.to_string())),
                };
                for entry in entries.flatten() {
                    let path = entry.path();
                    if path.extension().is_some_and(|found| found == extension) {
                        files.push((entry.file_name().to_string_lossy().into_owned(), text(&path)?));
                    }
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| broken(&path.display().to_string(), &e.to_string()))
}

/// A regular expression of a data file.
///
/// # Errors
/// `KOUAN-DECLARATIVE-DATA` with what is wrong with it.
pub fn pattern(file: &str, text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|e| broken(file, &e.to_string()))
}

/// Data that cannot be used: the file and what is wrong with it.
pub fn broken(file: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, "KOUAN-DECLARATIVE-DATA", format!("{file}: {why}"))
}
