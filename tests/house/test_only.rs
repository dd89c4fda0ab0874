//! Code compiled only for tests.

use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, Stmt, Token, punctuated::Punctuated};

/// Whether attributes exclude something from every build except that of tests.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args().is_ok_and(|condition| never_holds(&condition))
    })
}

/// Whether a condition cannot hold outside tests, whatever else is set.
fn never_holds(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return false;
    };
    if list.path.is_ident("all") {
        parts.iter().any(never_holds)
    } else {
        list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(never_holds)
    }
}

/// The attributes of an item, without those inside it.
pub(crate) fn own_attributes(item: &Item) -> Vec<Attribute> {
    let mut own = Own(Vec::new());
    visit::visit_item(&mut own, item);
    own.0
}

/// The attributes of a statement, without those inside it.
pub(crate) fn own_attributes_of_statement(statement: &Stmt) -> Vec<Attribute> {
    let mut own = Own(Vec::new());
    match statement {
        Stmt::Local(local) => own.0.clone_from(&local.attrs),
        Stmt::Item(item) => visit::visit_item(&mut own, item),
        Stmt::Expr(expr, _) => visit::visit_expr(&mut own, expr),
        Stmt::Macro(stmt) => own.0.clone_from(&stmt.attrs),
    }
    own.0
}

/// Collects the attributes it visits, and enters nothing that may have others.
struct Own(Vec<Attribute>);

impl<'a> Visit<'a> for Own {
    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        self.0.push(attribute.clone());
    }

    fn visit_arm(&mut self, _: &'a syn::Arm) {}
    fn visit_block(&mut self, _: &'a syn::Block) {}
    fn visit_expr(&mut self, _: &'a syn::Expr) {}
    fn visit_field_value(&mut self, _: &'a syn::FieldValue) {}
    fn visit_fields(&mut self, _: &'a syn::Fields) {}
    fn visit_fields_named(&mut self, _: &'a syn::FieldsNamed) {}
    fn visit_foreign_item(&mut self, _: &'a syn::ForeignItem) {}
    fn visit_generics(&mut self, _: &'a syn::Generics) {}
    fn visit_impl_item(&mut self, _: &'a syn::ImplItem) {}
    fn visit_item(&mut self, _: &'a Item) {}
    fn visit_pat(&mut self, _: &'a syn::Pat) {}
    fn visit_signature(&mut self, _: &'a syn::Signature) {}
    fn visit_trait_item(&mut self, _: &'a syn::TraitItem) {}
    fn visit_type(&mut self, _: &'a syn::Type) {}
    fn visit_variant(&mut self, _: &'a syn::Variant) {}
}
