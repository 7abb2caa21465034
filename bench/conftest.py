"""``pytest bench`` runs the benchmarks of ``test_*.py``; the other files are scripts."""

collect_ignore_glob = ["[!t]*.py", "train_step.py"]
