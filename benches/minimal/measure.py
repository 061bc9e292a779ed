#!/usr/bin/env python3
"""measure.py: processor seconds that the library takes to build, without its dependencies, and the sizes of programs.

Builds in a folder of its own, which is removed. `RUNS` (3) builds of the library are timed; the least counts, for
other load adds to it."""
import os, resource, subprocess, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# As a dependency is built: with the profile as it is, and not incrementally.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CARGO_PROFILE_")}
ENVIRONMENT["CARGO_INCREMENTAL"] = "0"


def cargo(*arguments):
    """Returns the processor seconds, user and system, of a call of cargo and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["cargo", *arguments, "--quiet"], check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    print("| act | measured |\n|---|---:|")
    with tempfile.TemporaryDirectory() as target:
        library = ["--manifest-path", HERE + "/../../Cargo.toml", "--target-dir", target]
        for title, features in (("default features", []), ("all features", ["--all-features"])):
            cargo("build", "--lib", *features, *library)
            seconds = []
            for _ in range(int(os.environ.get("RUNS", "3"))):
                cargo("clean", "--package", "esmtp", *library)
                seconds.append(cargo("build", "--lib", *features, *library))
            print("| build of the library, %s, processor seconds | %.1f |" % (title, min(seconds)), flush=True)
        cargo("build", "--release", "--manifest-path", HERE + "/Cargo.toml", "--target-dir", target)
        for name in ("receiver", "nothing"):
            print("| size of `%s`, kB | %d |" % (name, os.path.getsize("%s/release/%s" % (target, name)) // 1000))


main()
