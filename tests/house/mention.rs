//! The paths in a module's code.

use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, Stmt};

use crate::module::{Mention, Path};
use crate::test_only::{is_test_only, own_attributes, own_attributes_of_statement};
use crate::tokens;
use crate::use_tree::leaves;

/// Every path that an item mentions, except in code only for tests; of a module, only those in its attributes.
pub(crate) fn of(item: &Item) -> Vec<Mention> {
    let mut mentions = Mentions(Vec::new());
    match item {
        Item::Mod(room) => room.attrs.iter().for_each(|a| mentions.visit_attribute(a)),
        _ => mentions.visit_item(item),
    }
    mentions.0
}

struct Mentions(Vec<Mention>);

impl<'a> Visit<'a> for Mentions {
    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            let line = first.ident.span().start().line;
            let path = Path { segments, external: path.leading_colon.is_some() };
            self.0.push(Mention { path, line });
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.0.extend(leaves(item).into_iter().map(|leaf| leaf.mention));
    }

    fn visit_macro(&mut self, invoked: &'a syn::Macro) {
        self.visit_path(&invoked.path);
        tokens::paths(invoked.tokens.clone(), &mut self.0);
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if let Meta::List(list) = &attribute.meta {
            tokens::paths(list.tokens.clone(), &mut self.0);
            tokens::quoted_paths(list.tokens.clone(), &mut self.0);
        }
    }

    fn visit_item(&mut self, item: &'a Item) {
        if !is_test_only(&own_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if !is_test_only(&own_attributes_of_statement(statement)) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_impl_item(&mut self, item: &'a syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'a syn::TraitItem) {
        let attributes = match item {
            syn::TraitItem::Const(item) => &item.attrs,
            syn::TraitItem::Fn(item) => &item.attrs,
            syn::TraitItem::Type(item) => &item.attrs,
            syn::TraitItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_test_only(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        if !is_test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'a syn::FieldValue) {
        if !is_test_only(&field.attrs) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'a syn::Variant) {
        if !is_test_only(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        if !is_test_only(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }
}
