use super::{Action, Document, Formula, Gather, Input};
use crate::json::Print;

impl Document {
    pub(crate) fn to_json(&self) -> Print {
        let formula = Print::Object(vec![("formula.v1".to_owned(), formula(&self.formula))]);
        let mut fields = vec![("formula".to_owned(), formula)];
        if !self.warehouses.is_empty() {
            let context =
                Print::Object(vec![("warehouses".to_owned(), Print::map(&self.warehouses))]);
            fields.push((
                "context".to_owned(),
                Print::Object(vec![("context.v1".to_owned(), context)]),
            ));
        }
        Print::Object(fields)
    }
}

fn formula(formula: &Formula) -> Print {
    let Formula { inputs, action: what, outputs } = formula;
    let inputs = inputs.iter().map(|(port, one)| (port.to_string(), input(one)));
    let outputs = outputs.iter().map(|(name, one)| (name.clone(), gather(one)));
    Print::Object(vec![
        ("inputs".to_owned(), Print::Object(inputs.collect())),
        ("action".to_owned(), action(what)),
        ("outputs".to_owned(), Print::Object(outputs.collect())),
    ])
}

fn input(input: &Input) -> Print {
    let Input { basis, filters } = input;
    match filters {
        None => Print::text(basis),
        Some(filters) => Print::Object(vec![
            ("basis".to_owned(), Print::text(basis)),
            ("filters".to_owned(), Print::map(filters)),
        ]),
    }
}

fn action(action: &Action) -> Print {
    let (name, mut fields, network) = match action {
        Action::Echo => ("echo", Vec::new(), &None),
        Action::Exec { command, network } => {
            ("exec", vec![("command".to_owned(), Print::texts(command))], network)
        }
        Action::Script { interpreter, contents, network } => {
            let interpreter = ("interpreter".to_owned(), Print::text(interpreter));
            ("script", vec![interpreter, ("contents".to_owned(), Print::texts(contents))], network)
        }
    };
    fields.extend(network.map(|network| ("network".to_owned(), Print::Bool(network))));
    Print::Object(vec![(name.to_owned(), Print::Object(fields))])
}

fn gather(gather: &Gather) -> Print {
    let Gather { from, packtype, filters } = gather;
    let mut fields = vec![("from".to_owned(), Print::text(from))];
    fields.extend(packtype.map(|packtype| ("packtype".to_owned(), Print::text(packtype))));
    fields.extend(filters.as_ref().map(|filters| ("filters".to_owned(), Print::map(filters))));
    Print::Object(fields)
}
