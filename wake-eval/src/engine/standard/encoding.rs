//! Functions of `std` that write values in various formats, and parse them.

use jrsonnet_evaluator::Val;

use super::json_text::{Layout, json_text};
use super::{ini, python, toml, xml, yaml, yaml_read};

/// Names, parameters and implementations.
pub(super) const FUNCTIONS: &[super::Function] = &[
    ("builtin_manifestIni", &["ini"], |args| Ok(Val::string(ini::text(&args.object(0)?)?))),
    ("builtin_manifestJson", &["value"], |args| {
        let layout = Layout { indent: "    ", newline: "\n", colon: ": ", gap: "", hollow: None };
        Ok(Val::string(json_text(&args.value(0)?, &layout)?))
    }),
    ("builtin_manifestJsonEx", &["value", "indent", "newline?", "key_val_sep?"], |args| {
        let indent = args.text(1)?;
        let newline = args.lazy(2).map(|_| args.text(2)).transpose()?;
        let colon = args.lazy(3).map(|_| args.text(3)).transpose()?;
        let layout = Layout {
            indent: &indent,
            newline: newline.as_deref().unwrap_or("\n"),
            colon: colon.as_deref().unwrap_or(": "),
            gap: "",
            hollow: None,
        };
        Ok(Val::string(json_text(&args.value(0)?, &layout)?))
    }),
    ("builtin_manifestJsonMinified", &["value"], |args| {
        let layout = Layout { indent: "", newline: "", colon: ":", gap: "", hollow: None };
        Ok(Val::string(json_text(&args.value(0)?, &layout)?))
    }),
    ("builtin_manifestPython", &["v"], |args| Ok(Val::string(python::text(&args.value(0)?)?))),
    ("builtin_manifestPythonVars", &["conf"], |args| {
        Ok(Val::string(python::variables(&args.object(0)?)?))
    }),
    ("builtin_manifestToml", &["value"], |args| {
        Ok(Val::string(toml::text(&args.object(0)?, "  ")?))
    }),
    ("builtin_manifestTomlEx", &["value", "indent"], |args| {
        Ok(Val::string(toml::text(&args.object(0)?, &args.text(1)?)?))
    }),
    ("builtin_manifestXmlJsonml", &["value"], |args| {
        Ok(Val::string(xml::text(&Val::Arr(args.list(0)?))?))
    }),
    ("builtin_manifestYamlDoc", &["value", "indent_array_in_object?", "quote_keys?"], |args| {
        let style =
            yaml::Style { indents_lists: args.flag(1, false)?, quotes_keys: args.flag(2, true)? };
        Ok(Val::string(style.text(&args.value(0)?)?))
    }),
    (
        "builtin_manifestYamlStream",
        &["value", "indent_array_in_object?", "c_document_end?", "quote_keys?"],
        |args| {
            let style = yaml::Style {
                indents_lists: args.flag(1, false)?,
                quotes_keys: args.flag(3, true)?,
            };
            Ok(Val::string(style.stream(&args.list(0)?, args.flag(2, true)?)?))
        },
    ),
    ("builtin_parseYaml", &["str"], |args| yaml_read::value(&args.text(0)?)),
];
