//! What came of a formula.

use crate::error::DocumentError;
use crate::json::{Fields, Print, Source, pretty};
use std::collections::BTreeMap;
use wake_store::ware::cbor::{Cbor, Item, KeyOrder};
use wake_store::ware::{Sha384Digest, WareId};

/// The record of one run of a formula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// Different for every run.
    pub guid: String,
    /// When the run started, in seconds since 1970.
    pub time: i64,
    /// What was run.
    pub formula_id: String,
    /// How it ended: the exit code, 128 and the number of the signal that ended it, or -1 if it never started.
    pub exit_code: i32,
    /// The ware at each output path or, with warpforge, under each output name.
    pub results: BTreeMap<String, WareId>,
    /// The name of the machine, if it is told.
    pub hostname: Option<String>,
    /// Remarks.
    pub metadata: BTreeMap<String, String>,
}

/// Which program's spelling a record is printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `exitCode`, bare WareIDs.
    Repeatr,
    /// `exitcode`, WareIDs after `ware:`.
    Warpforge,
}

impl RunRecord {
    /// The record as JSON, indented by four spaces, without a newline at the end.
    pub fn to_json(&self, dialect: Dialect) -> String {
        let Self { guid, time, formula_id, exit_code, results, hostname, metadata } = self;
        let (exit_key, prefix) = match dialect {
            Dialect::Repeatr => ("exitCode", ""),
            Dialect::Warpforge => ("exitcode", "ware:"),
        };
        let results = results.iter().map(|(place, ware)| (place, format!("{prefix}{ware}")));
        let mut fields = vec![
            ("guid".to_owned(), Print::text(guid)),
            ("time".to_owned(), Print::Int(*time)),
            ("formulaID".to_owned(), Print::text(formula_id)),
            (exit_key.to_owned(), Print::Int((*exit_code).into())),
            ("results".to_owned(), Print::map(results)),
        ];
        if let Some(hostname) = hostname.as_ref().filter(|hostname| !hostname.is_empty()) {
            fields.push(("hostname".to_owned(), Print::text(hostname)));
        }
        if !metadata.is_empty() {
            fields.push(("metadata".to_owned(), Print::map(metadata)));
        }
        pretty(&Print::Object(fields), "    ")
    }

    /// Reads a record in either spelling; `file` is for messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, DocumentError> {
        let source = Source::new(text, file);
        let root = source.parse()?;
        let mut fields = Fields::of(&source, &root, "the run record")?;
        let exit = fields
            .take_either("exitCode", "exitcode")?
            .ok_or_else(|| source.error(root.at, "the run record has no `exitCode`"))?;
        let exit_code = i32::try_from(source.int(exit, "`exitCode`")?)
            .map_err(|_| source.error(exit.at, "`exitCode` is out of range"))?;
        let mut results = BTreeMap::new();
        for member in source.object(fields.need("results")?, "`results`")? {
            let text = source.text(&member.value, "a result")?;
            let ware = text.strip_prefix("ware:").unwrap_or(text).parse();
            let ware = ware.map_err(|error| source.error(member.value.at, format!("{error}")))?;
            results.insert(member.key.clone(), ware);
        }
        let mut metadata = BTreeMap::new();
        if let Some(json) = fields.take("metadata") {
            for member in source.object(json, "`metadata`")? {
                metadata
                    .insert(member.key.clone(), source.text(&member.value, "a remark")?.to_owned());
            }
        }
        let record = Self {
            guid: source.text(fields.need("guid")?, "`guid`")?.to_owned(),
            time: source.int(fields.need("time")?, "`time`")?,
            formula_id: source.text(fields.need("formulaID")?, "`formulaID`")?.to_owned(),
            exit_code,
            results,
            hostname: fields
                .take("hostname")
                .map(|json| source.text(json, "`hostname`").map(str::to_owned))
                .transpose()?,
            metadata,
        };
        fields.finish()?;
        Ok(record)
    }

    /// The identity of what came out, the same for every run that did the same: base58 of SHA-384 over the CBOR of
    /// formulaID, exitCode and results. Time, guid, machine and remarks are not part of it. Wake's own; neither repeatr nor
    /// warpforge has one.
    pub fn result_id(&self) -> String {
        let Self { guid: _, time: _, formula_id, exit_code, results, hostname: _, metadata: _ } =
            self;
        let results =
            results.iter().map(|(place, ware)| (place.clone(), Item::Text(ware.to_string())));
        let mut cbor = Cbor::new();
        let item = Item::Map(vec![
            ("formulaID".to_owned(), Item::Text(formula_id.clone())),
            ("exitCode".to_owned(), Item::Int((*exit_code).into())),
            ("results".to_owned(), Item::Map(results.collect())),
        ]);
        cbor.item(&item, KeyOrder::AsGiven);
        Sha384Digest::of(cbor.as_bytes()).to_string()
    }
}
