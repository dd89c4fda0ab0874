//! Networks that outlive commands and in which others can reach them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use wake_exec::Networks;

use crate::bed::{Bed, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("commands_in_two_networks_listen_on_one_port", two_listen_at_one_port),
        trial("a_command_reaches_listeners_put_into_its_network", what_was_put_there_is_found),
        trial("a_network_outlives_its_commands", a_network_outlives_its_commands),
    ]
}

/// Answers one received line with another.
const SERVER: &str = "exec perl -MIO::Socket::INET -e '
$listener = IO::Socket::INET->new(Listen => 5, LocalPort => 9002, ReuseAddr => 1) or die $!;
$visitor = $listener->accept;
print $visitor $ENV{NAME} . \" heard \" . <$visitor>;
'";

fn listening(networks: &Networks, number: usize) {
    while !networks.is_listening(number, 9002).unwrap() {
        thread::sleep(Duration::from_millis(5));
    }
}

fn asked(networks: &Networks, number: usize) -> String {
    listening(networks, number);
    let mut stream = networks.connect(number, 9002).unwrap();
    writeln!(stream, "hello").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn two_listen_at_one_port(bed: &Bed) {
    let networks = bed.executor.networks(2).unwrap();
    thread::scope(|scope| {
        for (number, name) in ["one", "two"].into_iter().enumerate() {
            let mut job = bed.sh(SERVER);
            job.place = networks.place(number);
            job.command.env.push(("NAME".to_owned(), name.to_owned()));
            scope.spawn(move || bed.output_of(&job));
        }
        assert_eq!(asked(&networks, 1), "two heard hello\n");
        assert_eq!(asked(&networks, 0), "one heard hello\n");
    });
    assert!(!networks.is_listening(0, 9002).unwrap(), "it has ended");
    assert!(networks.connect(0, 9002).is_err());
    assert!(networks.place(2).is_none());
}

fn what_was_put_there_is_found(bed: &Bed) {
    const ASK: &str = "perl -MIO::Socket::INET -e '
$way = IO::Socket::INET->new(PeerAddr => \"127.1.0.1\", PeerPort => 8000) or die \"$!\\n\";
print $way \"hello\\n\"; print <$way>;
' 2>&1";
    let networks = bed.executor.networks(2).unwrap();
    let at = SocketAddrV4::new(Ipv4Addr::new(127, 1, 0, 1), 8000);
    let listener = networks.listen(0, at).unwrap();
    // In use there, and free elsewhere.
    assert!(networks.listen(0, at).is_err());
    drop(networks.listen(1, at).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut visitor, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&visitor).read_line(&mut line).unwrap();
            write!(visitor, "{line} to you").unwrap();
        });
        let mut job = bed.sh(ASK);
        job.place = networks.place(0);
        assert_eq!(bed.output_of(&job), "hello\n to you");
    });
    for place in [networks.place(1), None] {
        let mut job = bed.sh(&format!("{ASK} || true"));
        job.place = place;
        assert_eq!(bed.output_of(&job), "Connection refused\n");
    }
}

fn a_network_outlives_its_commands(bed: &Bed) {
    let networks = bed.executor.networks(1).unwrap();
    for name in ["one", "two"] {
        let mut job = bed.sh(SERVER);
        job.place = networks.place(0);
        job.command.env.push(("NAME".to_owned(), name.to_owned()));
        thread::scope(|scope| {
            scope.spawn(|| bed.output_of(&job));
            assert_eq!(asked(&networks, 0), format!("{name} heard hello\n"));
        });
    }
}
