"""No tests here: the sources of another package, which one of the tests installs."""

collect_ignore_glob = ["*"]
