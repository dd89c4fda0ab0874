use super::{Action, Formula, Gather, Input};
use crate::FormulaId;
use std::collections::BTreeMap;
use wake_store::ware::cbor::Item;

impl Formula {
    /// The identity: a CID over the DAG-CBOR of the formula in its written form.
    pub fn id(&self) -> FormulaId {
        let Formula { inputs, action: what, outputs } = self;
        let inputs = inputs.iter().map(|(port, one)| (port.to_string(), input(one)));
        let outputs = outputs.iter().map(|(name, one)| (name.clone(), gather(one)));
        FormulaId::of_dag_cbor(&Item::Map(vec![
            ("inputs".to_owned(), Item::Map(inputs.collect())),
            ("action".to_owned(), action(what)),
            ("outputs".to_owned(), Item::Map(outputs.collect())),
        ]))
    }
}

fn input(input: &Input) -> Item {
    let Input { basis, filters } = input;
    let basis = Item::Text(basis.to_string());
    match filters {
        None => basis,
        Some(map) => {
            Item::Map(vec![("basis".to_owned(), basis), ("filters".to_owned(), texts(map))])
        }
    }
}

fn action(action: &Action) -> Item {
    let list = |items: &[String]| Item::Array(items.iter().cloned().map(Item::Text).collect());
    let (name, mut fields, network) = match action {
        Action::Echo => ("echo", Vec::new(), &None),
        Action::Exec { command, network } => {
            ("exec", vec![("command".to_owned(), list(command))], network)
        }
        Action::Script { interpreter, contents, network } => {
            let interpreter = ("interpreter".to_owned(), Item::Text(interpreter.clone()));
            ("script", vec![interpreter, ("contents".to_owned(), list(contents))], network)
        }
    };
    fields.extend(network.map(|network| ("network".to_owned(), Item::Bool(network))));
    Item::Map(vec![(name.to_owned(), Item::Map(fields))])
}

fn gather(gather: &Gather) -> Item {
    let Gather { from, packtype, filters } = gather;
    let mut fields = vec![("from".to_owned(), Item::Text(from.to_string()))];
    fields
        .extend(packtype.map(|packtype| ("packtype".to_owned(), Item::Text(packtype.to_string()))));
    fields.extend(filters.as_ref().map(|map| ("filters".to_owned(), texts(map))));
    Item::Map(fields)
}

fn texts(map: &BTreeMap<String, String>) -> Item {
    Item::Map(map.iter().map(|(key, value)| (key.clone(), Item::Text(value.clone()))).collect())
}
