//! Run records of formulas.

use crate::error::DocumentError;
use crate::id::FormulaId;
use crate::json::{Fields, Source, map, object, pretty, text};
use std::collections::BTreeMap;
use wake_store::ware::cbor::Item;
use wake_store::ware::{WareId, new_guid};

/// The record of one run of a formula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormulaRecord {
    /// Different for every run.
    pub guid: String,
    /// When the run started, in seconds since 1970.
    pub time: i64,
    /// The formula's id.
    pub formula_id: String,
    /// How it ended: the exit code, 128 plus the number of the signal that ended it, or -1 if it never started.
    pub exit_code: i32,
    /// The ware at each output path or, with warpforge, under each output name.
    pub results: BTreeMap<String, WareId>,
    /// The name of the machine, if given.
    pub hostname: Option<String>,
    /// Remarks.
    pub metadata: BTreeMap<String, String>,
}

/// The dialect in which a record is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `exitCode`, bare WareIDs.
    Repeatr,
    /// `exitcode`, WareIDs after `ware:`.
    Warpforge,
}

impl FormulaRecord {
    /// Returns the record of a formula that did not run to an end: it began `time` seconds after 1970 and has no results.
    pub fn unfinished(id: &FormulaId, time: i64) -> FormulaRecord {
        FormulaRecord {
            guid: new_guid(),
            time,
            formula_id: id.to_string(),
            exit_code: -1,
            results: BTreeMap::new(),
            hostname: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Returns the record as JSON, indented by four spaces, without a newline at the end.
    pub fn to_json(&self, dialect: Dialect) -> String {
        let Self { guid, time, formula_id, exit_code, results, hostname, metadata } = self;
        let (exit_key, prefix) = match dialect {
            Dialect::Repeatr => ("exitCode", ""),
            Dialect::Warpforge => ("exitcode", "ware:"),
        };
        let results = results.iter().map(|(place, ware)| (place, format!("{prefix}{ware}")));
        let hostname = hostname.as_ref().filter(|hostname| !hostname.is_empty());
        let record = object([
            ("guid", Some(text(guid))),
            ("time", Some(Item::Int(*time))),
            ("formulaID", Some(text(formula_id))),
            (exit_key, Some(Item::Int((*exit_code).into()))),
            ("results", Some(map(results))),
            ("hostname", hostname.map(text)),
            ("metadata", (!metadata.is_empty()).then(|| map(metadata))),
        ]);
        pretty(&record, "    ")
    }

    /// Parses a record in either dialect; `file` is for messages.
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
        for member in fields.required("results", Source::object)? {
            let text = source.text(&member.value, "a result")?;
            let ware = text.strip_prefix("ware:").unwrap_or(text).parse();
            let ware = ware.map_err(|error| source.error(member.value.at, format!("{error}")))?;
            results.insert(member.key.clone(), ware);
        }
        let mut metadata = BTreeMap::new();
        for member in fields.optional("metadata", Source::object)?.unwrap_or_default() {
            let remark = source.text(&member.value, "a remark")?;
            metadata.insert(member.key.clone(), remark.to_owned());
        }
        let record = Self {
            guid: fields.required("guid", Source::text)?.to_owned(),
            time: fields.required("time", Source::int)?,
            formula_id: fields.required("formulaID", Source::text)?.to_owned(),
            exit_code,
            results,
            hostname: fields.optional("hostname", Source::text)?.map(str::to_owned),
            metadata,
        };
        fields.finish()?;
        Ok(record)
    }

    /// Returns the identity of the result, the same for every run that did the same: base58 of SHA-384 over the CBOR of
    /// formulaID, exitCode and results. Time, guid, machine and remarks are not part of it. It is wake's own; neither repeatr nor
    /// warpforge has one.
    pub fn result_id(&self) -> String {
        let Self { guid: _, time: _, formula_id, exit_code, results, hostname: _, metadata: _ } =
            self;
        let outcome = object([
            ("formulaID", Some(text(formula_id))),
            ("exitCode", Some(Item::Int((*exit_code).into()))),
            ("results", Some(map(results))),
        ]);
        FormulaId::of_cbor(&outcome).to_string()
    }
}
