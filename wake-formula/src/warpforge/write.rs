//! Formulas in written form, which is also the hashed form.

use wake_store::ware::cbor::Item;

use super::{Action, Document, Formula, Gather, Input};
use crate::FormulaId;
use crate::json::{map, object, text, texts};

impl Document {
    pub(crate) fn written(&self) -> Item {
        let context = (!self.warehouses.is_empty()).then(|| {
            let context = object([("warehouses", Some(map(&self.warehouses)))]);
            object([("context.v1", Some(context))])
        });
        let formula = object([("formula.v1", Some(self.formula.written()))]);
        object([("formula", Some(formula)), ("context", context)])
    }
}

impl Formula {
    /// Returns the identity: a CID over the DAG-CBOR of the formula in its written form.
    pub fn id(&self) -> FormulaId {
        FormulaId::of_dag_cbor(&self.written())
    }

    fn written(&self) -> Item {
        let Formula { inputs, action: what, outputs } = self;
        let inputs = inputs.iter().map(|(port, one)| (port.to_string(), input(one)));
        let outputs = outputs.iter().map(|(name, one)| (name.clone(), gather(one)));
        object([
            ("inputs", Some(Item::Map(inputs.collect()))),
            ("action", Some(action(what))),
            ("outputs", Some(Item::Map(outputs.collect()))),
        ])
    }
}

fn input(input: &Input) -> Item {
    let Input { basis, filters } = input;
    match filters {
        None => text(basis),
        Some(filters) => object([("basis", Some(text(basis))), ("filters", Some(map(filters)))]),
    }
}

fn action(action: &Action) -> Item {
    let given = |network: &Option<bool>| network.map(Item::Bool);
    match action {
        Action::Echo => object([("echo", Some(object([])))]),
        Action::Exec { command, network } => {
            let fields = [("command", Some(texts(command))), ("network", given(network))];
            object([("exec", Some(object(fields)))])
        }
        Action::Script { interpreter, contents, network } => {
            let fields = [
                ("interpreter", Some(text(interpreter))),
                ("contents", Some(texts(contents))),
                ("network", given(network)),
            ];
            object([("script", Some(object(fields)))])
        }
    }
}

fn gather(gather: &Gather) -> Item {
    let Gather { from, packtype, filters } = gather;
    object([
        ("from", Some(text(from))),
        ("packtype", packtype.map(text)),
        ("filters", filters.as_ref().map(map)),
    ])
}
