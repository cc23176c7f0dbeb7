//! The one list of bundled plugins, each behind a cargo feature. Nothing else in the workspace names a plugin.

use kouan_declarative::{Declarative, MessageForm, SiteData};
use kouan_host::Registry;
use kouan_schema::Validator;
use kouan_sdk::PluginDecl;
use std::sync::Arc;

/// The bundled plugins.
const PLUGINS: &[&PluginDecl] = &[
    #[cfg(feature = "goods-declaration")]
    &kouan_goods_declaration::PLUGIN,
    #[cfg(feature = "manifest")]
    &kouan_manifest::PLUGIN,
    #[cfg(feature = "transport-means")]
    &kouan_transport_means::PLUGIN,
    #[cfg(feature = "processing-trade")]
    &kouan_processing_trade::PLUGIN,
    #[cfg(feature = "opaque")]
    &kouan_opaque::PLUGIN,
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
    /// The compiled data, with what a site has of its own; several where types have schemas of their own.
    pub validators: fn(&SiteData) -> kouan_sdk::Result<Vec<Arc<Validator>>>,
    /// What a message of each of its types looks like.
    pub forms: fn(&SiteData) -> kouan_sdk::Result<Vec<MessageForm>>,
    /// For one that is given by data: its data and samples.
    pub declarative: Option<&'static Declarative>,
}

/// The data of the bundled businesses.
pub const DATA: &[BusinessData] = &[
    #[cfg(feature = "goods-declaration")]
    BusinessData {
        id: kouan_goods_declaration::ID,
        validators: |site| Ok(vec![kouan_goods_declaration::validator(Some(site))?]),
        forms: kouan_goods_declaration::forms,
        declarative: None,
    },
    #[cfg(feature = "manifest")]
    BusinessData {
        id: kouan_manifest::ID,
        validators: |site| kouan_manifest::BUSINESS.validators(Some(site)),
        forms: |site| kouan_manifest::BUSINESS.forms(site),
        declarative: Some(&kouan_manifest::BUSINESS),
    },
    #[cfg(feature = "transport-means")]
    BusinessData {
        id: kouan_transport_means::ID,
        validators: |site| kouan_transport_means::BUSINESS.validators(Some(site)),
        forms: |site| kouan_transport_means::BUSINESS.forms(site),
        declarative: Some(&kouan_transport_means::BUSINESS),
    },
    #[cfg(feature = "processing-trade")]
    BusinessData {
        id: kouan_processing_trade::ID,
        validators: |site| kouan_processing_trade::BUSINESS.validators(Some(site)),
        forms: |site| kouan_processing_trade::BUSINESS.forms(site),
        declarative: Some(&kouan_processing_trade::BUSINESS),
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
