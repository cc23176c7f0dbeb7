//! The one list of bundled plugins, each behind a cargo feature. Nothing else in the workspace names a plugin.

use include_dir::{Dir, include_dir};
use kouan_host::Registry;
use kouan_sdk::PluginDecl;

/// The bundled plugins.
const PLUGINS: &[&PluginDecl] = &[
    #[cfg(feature = "transport-directory")]
    &kouan_transport_directory::PLUGIN,
    #[cfg(feature = "transport-embedded")]
    &kouan_transport_embedded::PLUGIN,
    #[cfg(feature = "security-software")]
    &kouan_security_software::PLUGIN,
];

/// A registry of the bundled plugins.
///
/// # Errors
/// Two of them under one name; the test below keeps that from happening.
pub fn registry() -> kouan_sdk::Result<Registry> {
    Registry::new(PLUGINS)
}

/// What a bundled business knows, as data: schemas, rules and code tables.
pub struct BusinessData {
    /// The business's id.
    pub id: &'static str,
    /// Folders of files for `kouan_schema`.
    pub folders: &'static [Dir<'static>],
}

/// The data of the bundled businesses.
pub static DATA: &[BusinessData] = &[
    #[cfg(feature = "goods-declaration")]
    BusinessData {
        id: "goods-declaration",
        folders: &[
            include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/goods-declaration/xsd"),
            include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/goods-declaration/rules"),
            include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/goods-declaration/codes"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_bundled_plugins_clash() {
        assert_eq!(registry().unwrap().plugins().len(), PLUGINS.len());
    }
}
