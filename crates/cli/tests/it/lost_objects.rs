//! What our own copy of the repository has lost, and the repository has, costs a sync nothing.

use std::fs;

use instep_testkit::bare::Bare;
use instep_testkit::git_host::HttpHost;
use instep_testkit::machine::Pair;

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

#[test]
fn a_merge_finds_its_base_again() {
    for over_http in [false, true] {
        let pair = Pair::new(&crate::program());
        let host = HttpHost::serve(pair.area());
        pair.bare.git(["config", "http.receivepack", "true"], b"");
        let url = host.url("remote.git");
        let address = if over_http { &url } else { pair.bare.path().to_str().unwrap() };
        fs::write(pair.left.folder().join("f"), TEXT).unwrap();
        for machine in [&pair.left, &pair.right] {
            let mut arguments = vec!["init", "--yes", "--name", machine.name(), "--remote", address];
            if over_http {
                arguments.extend(["--allow-http", "--allow-public"]);
            }
            let output = machine.run(arguments);
            assert_eq!(output.code, 0, "{output}");
        }
        fs::write(pair.left.folder().join("f"), TEXT.replace("one", "ONE")).unwrap();
        fs::write(pair.right.folder().join("f"), TEXT.replace("seven", "SEVEN")).unwrap();
        assert_eq!(pair.left.run(["sync"]).code, 0);
        // All that the right machine's copy holds of the past is gone, and its note of it is as it was.
        let ours = pair.right.folder().join(".instep/git");
        assert!(Bare::open(&ours).lose(&pair.bare.reachable()) > 3);
        let _ = fs::remove_file(ours.join("instep.shelf.1"));
        let output = pair.right.run(["sync"]);
        assert_eq!(output.code, 0, "{output}");
        let merged = TEXT.replace("one", "ONE").replace("seven", "SEVEN");
        assert_eq!(fs::read_to_string(pair.right.folder().join("f")).unwrap(), merged);
        // A content alone, and everything is read again.
        let oids: Vec<String> = pair.bare.reachable();
        let blobs = pair.bare.blobs(&oids).into_iter().map(|(oid, _)| oid).collect::<Vec<_>>();
        assert!(Bare::open(&ours).lose(&blobs) > 1, "{blobs:?}");
        let output = pair.right.run(["verify", "--read-data"]);
        assert_eq!(output.code, 0, "{output}");
        assert_eq!(pair.right.run(["sync"]).code, 0);
    }
}
