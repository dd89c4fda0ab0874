//! Actions: equal keys mean equal actions, and a stored action can be explained.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use wake_model::{
    Action, Command, HostDigest, InputNode, Invocation, MountAccess, Network, OutputDecl,
    OutputKind, Outputs, PackType, Rights, RootFs, SandboxLevel, User, WareDecl, WareId,
};

use crate::things::{blob, digest, path, short_text, tree_digest};

proptest! {
    #[test]
    fn the_fields_come_back(action in action()) {
        prop_assert_eq!(Action::decode_fields(&action.encode()), Ok(action.fields()));
    }

    #[test]
    fn a_cut_encoding_is_refused(action in action(), cut in any::<prop::sample::Index>()) {
        let encoded = action.encode();
        prop_assert!(Action::decode_fields(&encoded[..cut.index(encoded.len())]).is_err());
    }

    #[test]
    fn decoding_terminates_on_any_bytes(bytes in vec(0..10u8, 0..64)) {
        let _ = Action::decode_fields(&bytes);
    }

    #[test]
    fn two_actions_have_one_key_only_if_they_are_one(left in action(), right in action()) {
        prop_assert_eq!(left.digest() == right.digest(), left == right);
    }

    /// Two random actions differ in many ways; these differ in at most one.
    #[test]
    fn each_part_changes_the_key(left in action(), right in action()) {
        let base = left.digest();
        let with = |change: &dyn Fn(&mut Action)| {
            let mut changed = left.clone();
            change(&mut changed);
            changed.digest() == base
        };
        prop_assert_eq!(with(&|a| a.command = right.command.clone()), left.command == right.command);
        prop_assert_eq!(with(&|a| a.root = right.root.clone()), left.root == right.root);
        prop_assert_eq!(with(&|a| a.work = right.work.clone()), left.work == right.work);
        prop_assert_eq!(with(&|a| a.own_dirs = right.own_dirs.clone()), left.own_dirs == right.own_dirs);
        prop_assert_eq!(with(&|a| a.inputs = right.inputs.clone()), left.inputs == right.inputs);
        prop_assert_eq!(with(&|a| a.outputs = right.outputs.clone()), left.outputs == right.outputs || (left.outputs.paths().is_empty() && right.outputs.paths().is_empty()));
        prop_assert_eq!(with(&|a| a.user = right.user.clone()), left.user == right.user);
        prop_assert_eq!(with(&|a| a.network = right.network), left.network == right.network);
        prop_assert_eq!(with(&|a| a.sandbox = right.sandbox), left.sandbox == right.sandbox);
        prop_assert_eq!(with(&|a| a.platform = right.platform.clone()), left.platform == right.platform);
    }

    /// Field names are unique, so that a difference can be named.
    #[test]
    fn each_field_has_a_name_of_its_own(action in action()) {
        let mut names: Vec<_> =
            action.fields().into_iter().map(|field| (field.group, field.key)).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), count);
    }
}

fn action() -> impl Strategy<Value = Action> {
    let inputs = btree_map(path(), input(), 0..4);
    let own_files = proptest::option::of(tree_digest());
    let places = (path(), own_files, btree_set(path(), 0..3), outputs());
    let network = prop_oneof![Just(Network::None), Just(Network::Host)];
    let sandbox = prop_oneof![Just(SandboxLevel::Strict), Just(SandboxLevel::Weak)];
    let rights = prop_oneof![Just(Rights::Ordinary), Just(Rights::Owners), Just(Rights::Users)];
    let user = (0..2u32, 0..2u32, short_text(), rights)
        .prop_map(|(uid, gid, hostname, rights)| User { uid, gid, hostname, rights });
    (command(), root(), inputs, places, user, network, sandbox, short_text()).prop_map(
        |(command, root, inputs, places, user, network, sandbox, platform)| {
            let (work, own_files, own_dirs, outputs) = places;
            Action {
                command,
                root,
                work,
                own_files,
                inputs,
                own_dirs,
                outputs,
                user,
                network,
                sandbox,
                platform,
            }
        },
    )
}

fn outputs() -> impl Strategy<Value = Outputs> {
    let kind = prop_oneof![Just(OutputKind::Any), Just(OutputKind::Dir)];
    let packed = (prop_oneof![Just(PackType::Tar), Just(PackType::Tree)], short_text());
    prop_oneof![
        btree_map(path(), kind, 0..3).prop_map(|outputs| {
            let decl = |(path, kind)| OutputDecl { path, kind };
            Outputs::Tree(outputs.into_iter().map(decl).collect())
        }),
        btree_map(path(), packed, 0..3).prop_map(|outputs| {
            let decl = |(path, (packtype, filters))| WareDecl { path, packtype, filters };
            Outputs::Wares(outputs.into_iter().map(decl).collect())
        }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let env = btree_map("[AB]{1,2}", short_text(), 0..3);
    prop_oneof![
        1 => short_text().prop_map(|cwd| Command::Collect { cwd }),
        1 => (short_text(), short_text())
            .prop_map(|(cwd, composition)| Command::Image { cwd, composition }),
        4 => (short_text(), vec(short_text(), 0..3), env, short_text(), short_text()).prop_map(
            |(program, args, env, stdin, cwd)| Command::Run(Invocation { program, args, env, stdin, cwd })
        ),
    ]
}

fn root() -> impl Strategy<Value = RootFs> {
    prop_oneof![
        Just(RootFs::Empty),
        digest().prop_map(|digest| RootFs::Host(HostDigest(digest))),
        tree_digest().prop_map(RootFs::Tree),
        ware().prop_map(RootFs::Ware),
    ]
}

fn input() -> impl Strategy<Value = InputNode> {
    prop_oneof![
        (blob(), any::<bool>()).prop_map(|(blob, executable)| InputNode::File { blob, executable }),
        short_text().prop_map(|target| InputNode::Link { target }),
        tree_digest().prop_map(InputNode::Tree),
        Just(InputNode::Dir),
        ware().prop_map(InputNode::Ware),
        (short_text(), access()).prop_map(|(host, access)| InputNode::Mount { host, access }),
    ]
}

fn ware() -> impl Strategy<Value = WareId> {
    "tree:[xyz]{1,2}".prop_map(|id| id.parse().unwrap())
}

fn access() -> impl Strategy<Value = MountAccess> {
    let all = [MountAccess::ReadOnly, MountAccess::Layered, MountAccess::ReadWrite];
    prop_oneof![Just(all[0]), Just(all[1]), Just(all[2])]
}
