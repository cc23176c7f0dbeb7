//! 金关二期保税业务 (processing trade, special areas, bonded logistics): 核注清单, 核放单, 出入库单, 业务申报表, 手册, 账册 and the rest of
//! what goes in the wrapper `Signature/Object/Package`.
//!
//! The knowledge is data, in `business-schemas/processing-trade`; here stands what data cannot say. This room must not
//! know a journal, a kernel, a transport or a key.

#![forbid(unsafe_code)]

mod receipt;

use include_dir::{Dir, include_dir};
use kouan_declarative::Declarative;
use kouan_sdk::PluginDecl;

/// The plugin's id.
pub const ID: &str = "processing-trade";

static DATA: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/processing-trade");

/// The business, given by its data.
pub static BUSINESS: Declarative = Declarative::new(ID, &DATA, &receipt::ReceiptHooks);

/// The plugin.
pub static PLUGIN: PluginDecl = PluginDecl {
    id: ID,
    version: env!("CARGO_PKG_VERSION"),
    summary: (
        "保税业务（加工贸易、特殊区域、保税物流）",
        "bonded business (processing trade, special areas, logistics)",
    ),
    config_schema: kouan_declarative::config_schema,
    business: Some(|context, config| BUSINESS.business(context, config)),
    transport: None,
    security: None,
    simulator: Some(|context, config| BUSINESS.simulator(context, config)),
};
