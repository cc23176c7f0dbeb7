//! The folder tree (`domain/goods-declaration.md` §3): found without regard to case, made where it is missing.

use crate::config::{Config, OTHERS};
use crate::error::named;
use kouan_sdk::transport::{Header, header, header_value};
use kouan_sdk::{Error, ErrorKind, Result};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What lies below a FormId's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// 待发送: what the site drops.
    OutBox,
    /// 发送中: what is claimed.
    TempBox,
    /// 已发送.
    SentBox,
    /// 发送失败.
    FailBox,
    /// 回执.
    InBox,
    /// Machine-readable verdicts; not one of the official client's.
    Report,
}

impl Place {
    /// All, in the order of their paths in [`Folder`].
    pub(crate) const ALL: [Self; 6] =
        [Self::OutBox, Self::TempBox, Self::SentBox, Self::FailBox, Self::InBox, Self::Report];

    fn name(self) -> &'static str {
        match self {
            Self::OutBox => "OutBox",
            Self::TempBox => "TempBox",
            Self::SentBox => "SentBox",
            Self::FailBox => "FailBox",
            Self::InBox => "InBox",
            Self::Report => "Report",
        }
    }
}

/// A folder of one FormId, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    /// FormId; of a shared folder, the first.
    pub(crate) form_id: String,
    /// The other FormIds of a shared folder.
    also: Vec<String>,
    /// The folder as the configuration spells it: part of source ids, so it does not follow the disk's case.
    pub(crate) name: String,
    /// A third ending that is taken.
    pub(crate) extension: Option<String>,
    base: PathBuf,
    places: Vec<(Place, PathBuf)>,
}

impl Folder {
    /// Where a place is.
    pub(crate) fn path(&self, place: Place) -> PathBuf {
        let found = self.places.iter().find(|(p, _)| *p == place);
        found.map_or_else(|| self.base.join(place.name()), |(_, path)| path.clone())
    }

    /// Whether it is this FormId's.
    fn is_of(&self, form_id: &str) -> bool {
        std::iter::once(&self.form_id).chain(&self.also).any(|own| own.eq_ignore_ascii_case(form_id))
    }

    /// The source id of a claim.
    pub(crate) fn source_id(&self, claim: u64) -> String {
        format!("{}/{claim}", self.name)
    }

    /// Whether files with this ending are taken from OutBox.
    pub(crate) fn takes(&self, extension: &str) -> bool {
        ["xml", "zip"].into_iter().chain(self.extension.as_deref()).any(|e| e.eq_ignore_ascii_case(extension))
    }
}

/// All folders of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// In the order of the configuration.
    pub(crate) folders: Vec<Folder>,
}

impl Layout {
    /// Finds the tree and makes what is missing.
    pub(crate) fn open(root: &Path, config: &Config) -> Result<Self> {
        fs::create_dir_all(root).map_err(|e| named("make", root, &e))?;
        let layout = Self::find(root, config)?;
        for folder in &layout.folders {
            for place in Place::ALL {
                let path = folder.path(place);
                fs::create_dir_all(&path).map_err(|e| named("make", &path, &e))?;
            }
        }
        Ok(layout)
    }

    /// Finds the tree and makes nothing.
    pub(crate) fn find(root: &Path, config: &Config) -> Result<Self> {
        let find = |folder: &crate::config::FolderConfig| {
            let base = named_without_case(root, &folder.folder).map_err(|e| named("list", root, &e))?;
            let places = Place::ALL
                .into_iter()
                .map(|place| Ok((place, named_without_case(&base, place.name())?)))
                .collect::<io::Result<_>>()
                .map_err(|e| named("list", &base, &e))?;
            Ok(Folder {
                form_id: folder.form_id.clone(),
                also: Vec::new(),
                name: folder.folder.clone(),
                extension: folder.extension.clone(),
                base,
                places,
            })
        };
        let mut folders: Vec<Folder> = Vec::new();
        for folder in &config.folders {
            match folders.iter_mut().find(|known| known.name == folder.folder) {
                Some(known) => known.also.push(folder.form_id.clone()),
                None => folders.push(find(folder)?),
            }
        }
        Ok(Self { folders })
    }

    /// The folder that headers name: by `folder`, else by `form-id`; without either, the one for unmatched receipts.
    pub(crate) fn of_headers(&self, headers: &[Header]) -> Result<&Folder> {
        let by_name = header_value(headers, header::FOLDER);
        let by_form = header_value(headers, header::FORM_ID);
        let wanted = |folder: &&Folder| match (by_name, by_form) {
            (Some(name), _) => folder.name.to_lowercase() == name.to_lowercase(),
            (None, Some(form)) => folder.is_of(form),
            (None, None) => folder.is_of(OTHERS),
        };
        self.folders.iter().find(wanted).ok_or_else(|| {
            let text = format!("no folder for {}", by_name.or(by_form).unwrap_or(OTHERS));
            Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-UNKNOWN-FOLDER", text)
        })
    }

    /// Folder and claim number of a source id.
    pub(crate) fn of_source(&self, source_id: &str) -> Result<(&Folder, u64)> {
        source_id
            .rsplit_once('/')
            .and_then(|(name, claim)| Some((self.folders.iter().find(|f| f.name == name)?, claim.parse().ok()?)))
            .ok_or_else(|| {
                let text = format!("{source_id:?} names no claim of this site");
                Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-UNKNOWN-SOURCE", text)
            })
    }
}

/// `name` below `parent`, in the case that is there: exactly, else the first that differs in case only.
fn named_without_case(parent: &Path, name: &str) -> io::Result<PathBuf> {
    let exact = parent.join(name);
    if exact.is_dir() {
        return Ok(exact);
    }
    let entries = match fs::read_dir(parent) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(exact),
        entries => entries?,
    };
    let mut alike: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| {
            path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.to_lowercase() == name.to_lowercase())
        })
        .filter(|path| path.is_dir())
        .collect();
    alike.sort();
    Ok(alike.into_iter().next().unwrap_or(exact))
}
