//! Trees: the digest covers the content, and nothing else.

use proptest::prelude::*;
use proptest::sample::Index;
use wake_model::{Manifest, Node};

use crate::things::{manifest, node};

proptest! {
    #[test]
    fn two_trees_have_one_digest_only_if_they_are_one(left in manifest(), right in manifest()) {
        prop_assert_eq!(left.digest() == right.digest(), left == right);
    }

    /// Two random trees differ in many ways; these differ in at most one node.
    #[test]
    fn each_node_changes_the_digest(manifest in manifest(), at in any::<Index>(), other in node()) {
        prop_assume!(!manifest.is_empty());
        let (changed, _) = manifest.iter().nth(at.index(manifest.len())).unwrap();
        let nodes = manifest.iter().map(|(path, node)| {
            (path.clone(), if path == changed { other.clone() } else { node.clone() })
        });
        let changed = Manifest::new(nodes).unwrap();
        prop_assert_eq!(changed.digest() == manifest.digest(), changed == manifest);
    }

    #[test]
    fn the_order_of_making_does_not_matter(manifest in manifest()) {
        let nodes: Vec<_> = manifest.iter().map(|(path, node)| (path.clone(), node.clone())).collect();
        let again = Manifest::new(nodes.into_iter().rev()).unwrap();
        prop_assert_eq!(again.digest(), manifest.digest());
    }

    #[test]
    fn sizes_do_not_change_the_digest(manifest in manifest(), other in any::<u64>()) {
        let resized = manifest.iter().map(|(path, node)| {
            let node = match node {
                Node::File { blob, executable, size: _ } => {
                    Node::File { blob: *blob, executable: *executable, size: other }
                }
                Node::Dir | Node::Link { .. } => node.clone(),
            };
            (path.clone(), node)
        });
        prop_assert_eq!(Manifest::new(resized).unwrap().digest(), manifest.digest());
    }

    #[test]
    fn each_directory_is_a_tree_of_its_own(manifest in manifest()) {
        let (root, trees) = manifest.trees();
        prop_assert_eq!(root, manifest.digest());
        for (path, tree) in trees {
            let part = manifest.subtree(&path).unwrap();
            prop_assert_eq!(part.digest(), tree.digest(), "{}", path);
        }
    }

    #[test]
    fn parts_add_up_to_the_whole(manifest in manifest()) {
        let (_, trees) = manifest.trees();
        let whole = trees.iter().flat_map(|(path, _)| {
            let part = manifest.subtree(path).unwrap();
            part.iter().map(|(below, node)| (path.join(below), node.clone())).collect::<Vec<_>>()
        });
        prop_assert_eq!(Manifest::new(whole), Ok(manifest.clone()));
    }
}
