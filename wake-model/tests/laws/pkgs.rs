//! Packages: name, version, namespace, files and dependencies determine the identity.

use proptest::collection::btree_map;
use proptest::prelude::*;
use wake_model::{PkgDigest, PkgIdentity, PkgInfo};

use crate::things::{name, pkg_digest, tree_digest, version};

proptest! {
    #[test]
    fn each_part_changes_the_digest(left in identity(), right in identity()) {
        let base = left.digest();
        let with = |change: &dyn Fn(&mut PkgIdentity)| -> PkgDigest {
            let mut changed = left.clone();
            change(&mut changed);
            changed.digest()
        };
        prop_assert_eq!(with(&|pkg| pkg.info.name = right.info.name.clone()) == base, left.info.name == right.info.name);
        prop_assert_eq!(with(&|pkg| pkg.info.version = right.info.version.clone()) == base, left.info.version == right.info.version);
        prop_assert_eq!(with(&|pkg| pkg.info.namespace = right.info.namespace.clone()) == base, left.info.namespace == right.info.namespace);
        prop_assert_eq!(with(&|pkg| pkg.files = right.files) == base, left.files == right.files);
        prop_assert_eq!(with(&|pkg| pkg.pkgs = right.pkgs.clone()) == base, left.pkgs == right.pkgs);
    }
}

fn identity() -> impl Strategy<Value = PkgIdentity> {
    let pkgs = btree_map("[ab]{1,2}", pkg_digest(), 0..3);
    let info =
        (prop_oneof![Just("a".parse().unwrap()), name()], version(), proptest::option::of(name()));
    (info, tree_digest(), pkgs).prop_map(|((name, version, namespace), files, pkgs)| PkgIdentity {
        info: PkgInfo { name, version, namespace },
        files,
        pkgs: pkgs.into_iter().collect(),
    })
}
