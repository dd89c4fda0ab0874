//! Attacks on the sandbox, each named after its line in the list of attacks in `spec/sandbox.md`.

#[path = "../bed/mod.rs"]
mod bed;

fn main() -> std::process::ExitCode {
    bed::main(|| {
        vec![bed::trial("hello", |bed| {
            assert_eq!(bed.output("echo hi"), "hi\n");
            println!("{}", bed.output("id; pwd; env; ls -la / /dev /tmp /work /proc/self/fd /etc; hostname; cat /proc/self/mountinfo; cat /proc/self/status; ulimit -a; ls /proc"));
        })]
    })
}
