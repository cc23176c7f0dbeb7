//! The one list of bundled plugins, each behind a cargo feature. Nothing else in the workspace names a plugin.

use kouan_host::Registry;
use kouan_sdk::PluginDecl;

/// The bundled plugins.
const PLUGINS: &[&PluginDecl] = &[
    #[cfg(feature = "goods-declaration")]
    &kouan_goods_declaration::PLUGIN,
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
