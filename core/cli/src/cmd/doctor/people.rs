//! Words for people.

use crate::app::App;
use kouan_sdk::Light;

/// A light, with a mark that is told without colours.
pub fn light(app: &App, light: Light) -> String {
    let (mark, zh, en) = match light {
        Light::Green => ("✓", "正常", "green"),
        Light::Yellow => ("!", "注意", "yellow"),
        Light::Red => ("✗", "故障", "red"),
    };
    format!("{mark} {}", app.lang.pick(zh, en))
}

/// What an area is called.
pub fn area_zh(area: &'static str) -> &'static str {
    match area {
        "data" => "数据文件夹",
        "clock" => "时钟",
        "configuration" => "配置",
        "identity" => "身份",
        "certificate" => "证书",
        "site" => "接入",
        "window" => "窗口",
        "trust" => "信任",
        "journal" => "日志库",
        "codes" => "代码表",
        "permits" => "授权",
        other => other,
    }
}
