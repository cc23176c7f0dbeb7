//! `kouan template`: a message of a type before it is filled in, every field explained.

use crate::app::App;
use crate::bundled;
use crate::data;
use crate::exit::{Exit, WrongUsage};
use crate::files;
use crate::skeleton;
use crate::table::table;
use kouan_declarative::MessageForm;
use kouan_sdk::Kind;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    business: String,
    #[arg(value_name = "TYPE")]
    message_type: Option<String>,
    #[arg(short, long, value_name = "FILE", requires = "message_type")]
    output: Option<PathBuf>,
}

/// Writes the skeleton; without a type, lists the types that have one.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let forms = forms(&args.business, app)?;
    let Some(id) = &args.message_type else { return list(&forms, app) };
    let Some(form) = forms.iter().find(|form| form.info.id.eq_ignore_ascii_case(id)) else {
        let meant = kouan_host::nearest(id, forms.iter().map(|form| form.info.id.as_str()));
        let meant = meant.map(|id| format!("; did you mean `{id}`?")).unwrap_or_default();
        let text = format!("{} has no type `{id}`{meant} (kouan template {})", args.business, args.business);
        return Err(WrongUsage(text).into());
    };
    let Some(xml) = skeleton::write(&args.business, form, app.lang) else {
        let (zh, en) = (
            format!("{} {} 没有公开的结构，口岸不检查其内容", form.info.id, form.info.name_zh),
            format!("{} ({}) has no public structure; its content is not checked", form.info.id, form.info.name_en),
        );
        return Err(WrongUsage(app.lang.pick(zh, en)).into());
    };
    let mut shown = json!({"business": args.business, "type": form.info.id});
    match &args.output {
        Some(path) => {
            files::write_new(path, xml.as_bytes())?;
            shown["file"] = json!(path);
            app.say(app.lang.pick(
                format!("已写入 {}；填好后用 kouan check 检查", path.display()),
                format!("wrote {}; once it is filled in, kouan check judges it", path.display()),
            ));
        }
        None if !app.json => app.print(xml.trim_end())?,
        None => shown["xml"] = xml.into(),
    }
    if app.json {
        app.print_json(&shown)?;
    }
    Ok(Exit::Done)
}

pub(super) fn forms(business: &str, app: &App) -> anyhow::Result<Vec<MessageForm>> {
    if let Some(data) = bundled::DATA.iter().find(|data| data.id == business) {
        return Ok((data.forms)(&data::site_data(business, app.config_if_any()?.as_ref())?)?);
    }
    if let Ok(found) = bundled::registry()?.find(Kind::Business, business) {
        let (zh, en) = (
            format!(
                "{business}（{}）的内容没有结构定义：口岸只检查其格式与大小。按海关接口文档填写，放入对应目录的 OutBox",
                found.summary.0
            ),
            format!(
                "{business} ({}) has no schema of its content: only form and size are checked. Write it by the customs' interface document and drop it into its folder's OutBox",
                found.summary.1
            ),
        );
        return Err(WrongUsage(app.lang.pick(zh, en)).into());
    }
    let ids: Vec<_> = bundled::DATA.iter().map(|data| data.id).collect();
    let meant = kouan_host::nearest(business, ids.iter().copied()).map(|id| format!("; did you mean `{id}`?"));
    let text = format!(
        "no business `{business}` with schemas is bundled, only {}{}",
        ids.join(", "),
        meant.unwrap_or_default()
    );
    Err(WrongUsage(text).into())
}

fn list(forms: &[MessageForm], app: &App) -> anyhow::Result<Exit> {
    let with_schema = || forms.iter().filter(|form| form.validator.is_some()).map(|form| &form.info);
    if app.json {
        let shown = with_schema().map(|of| json!({"id": of.id, "name_zh": of.name_zh, "name_en": of.name_en}));
        app.print_json(&json!({"types": shown.collect::<Vec<_>>()}))?;
        return Ok(Exit::Done);
    }
    let row = |of: &kouan_sdk::business::MessageType| {
        [of.id.clone(), app.lang.pick(&of.name_zh, &of.name_en).clone(), of.folder.clone()]
    };
    app.print(table(&with_schema().map(row).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}
