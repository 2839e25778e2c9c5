"""What ./run does where something is odd: the name of its folder, a signal
while packages install. What apt and sudo do is played by small scripts."""

import os
import shutil
import signal
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from runner import check, run_cases  # noqa: E402

RUN = os.path.join(os.path.dirname(TESTS), "run")
POLICY = "/usr/sbin/policy-rc.d"

SUDO = """#!/bin/sh
case $1 in
tee) cat >"$FAKE/policy" ;;
chmod) ;;
rm) rm -f "$FAKE/policy" ;;
*) : >"$FAKE/installing"; exec sleep 60 ;;
esac
"""


def script(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, 0o755)


def helped(path):
    return subprocess.run([path, "help"], capture_output=True, text=True,
                          check=False)


def case_names_of_folders(directory):
    """What CMake would choke on is refused in plain words."""
    for name in ("a;b", "a#b", "a'b", 'a"b', "a$b", "a\\b", "a:b"):
        place = os.path.join(directory, name)
        os.mkdir(place)
        shutil.copy(RUN, place)
        done = helped(os.path.join(place, "run"))
        check(done.returncode == 1 and done.stdout == "" and
              "name of a folder must not hold" in done.stderr,
              f"{name}: {done}")
    place = os.path.join(directory, "a b")
    os.mkdir(place)
    shutil.copy(RUN, place)
    done = helped(os.path.join(place, "run"))
    check(done.returncode == 0, f"a space: {done}")


def case_wrong_uses(directory):
    """A word that is not known is named, in a line, before anything is made."""
    place = os.path.join(directory, "tree")
    os.mkdir(place)
    shutil.copy(RUN, place)
    for words, said in ((["nosuch"], "there is no command 'nosuch'"),
                        (["demo", "-x"], "demo takes no argument: -x"),
                        (["build", "dev"], "build takes no argument: dev"),
                        (["package", "-x"], "package takes no argument: -x"),
                        (["cluster", "-x"], "cluster takes no argument: -x"),
                        (["lecture", "-x"], "lecture takes --check alone: -x"),
                        (["soak", "nosuch"], "soak has no part 'nosuch'")):
        done = subprocess.run([os.path.join(place, "run"), *words],
                              capture_output=True, text=True, check=False)
        check((done.returncode, done.stdout, done.stderr) ==
              (2, "", f"run: {said}; see ./run help\n"), f"{words}: {done}")
        check(os.listdir(place) == ["run"], f"{words}: {os.listdir(place)}")


def case_a_symbolic_link(directory):
    """The tree is where the script is, not where the link is."""
    tree = os.path.join(directory, "tree")
    os.makedirs(os.path.join(tree, "tests/lab"))
    shutil.copy(RUN, tree)
    script(os.path.join(tree, "tests/lab"), "triptych-lab",
           "#!/bin/sh\necho found\n")
    fakes = os.path.join(directory, "fakes")
    os.mkdir(fakes)
    script(fakes, "dpkg-query", "#!/bin/sh\necho install ok installed\n")
    link = os.path.join(directory, "link")
    os.symlink(os.path.join(tree, "run"), link)
    done = subprocess.run([link, "lab"], capture_output=True, text=True,
                          env=dict(os.environ,
                                   PATH=f"{fakes}:{os.environ['PATH']}"),
                          check=False)
    check(done.stdout == "found\n", f"{done}")


def case_interrupted_while_installing(directory):
    """What keeps servers from starting does not stay behind."""
    place = os.path.join(directory, "tree")
    os.mkdir(place)
    with open(RUN, encoding="utf-8") as file:
        text = file.read()
    check(POLICY in text, f"run does not speak of {POLICY}")
    # Another place for it: a machine may have one of its own.
    script(place, "run",
           text.replace(POLICY, os.path.join(directory, "policy")))
    script(directory, "sudo", SUDO)
    script(directory, "id", "#!/bin/sh\necho 1000\n")
    script(directory, "dpkg-query", "#!/bin/sh\nexit 1\n")
    script(directory, "apt-get", "#!/bin/sh\nexit 0\n")
    ready = os.path.join(directory, "installing")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with subprocess.Popen(
                [os.path.join(place, "run"), "build"], start_new_session=True,
                stderr=subprocess.PIPE,
                env=dict(os.environ, FAKE=directory,
                         PATH=f"{directory}:{os.environ['PATH']}")) as child:
            try:
                end = time.monotonic() + 60
                while not os.path.exists(ready):
                    check(child.poll() is None and time.monotonic() < end,
                          "it does not install")
                    time.sleep(0.01)
                check(os.path.exists(os.path.join(directory, "policy")),
                      "servers would be started")
                os.killpg(child.pid, number)
                child.wait(timeout=60)
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
        check(child.returncode == 128 + number, f"status {child.returncode}")
        check(not os.path.exists(os.path.join(directory, "policy")),
              f"{signal.Signals(number).name}: {POLICY} is left behind")
        os.remove(ready)


TREE = os.path.dirname(TESTS)


def case_shellcheck(_):
    """All scripts, with no complaint but those that they argue, and that the
    machine has files of its own (SC1091)."""
    if shutil.which("shellcheck") is None:
        print("shellcheck is not installed: left out")
        return
    scripts = ["run", ".ci/run", "packaging/finish", "tests/fresh/fresh",
               "tests/fresh/inside", "tests/fresh/compilers",
               "tests/package/inside",
               "tests/cluster/triptych-cluster.in"]
    done = subprocess.run(["shellcheck", "-s", "sh", "-e", "SC1091", *scripts],
                          cwd=TREE, capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stdout)


def case_workflow(_):
    """It is YAML; its commands are there, and have the options; what takes a
    bundle of the checkout may, though another user has made it."""
    try:
        import yaml
    except ImportError:
        print("python3-yaml is not installed: left out")
        return
    with open(os.path.join(TREE, ".github/workflows/ci.yml"),
              encoding="utf-8") as file:
        jobs = yaml.safe_load(file)["jobs"]
    check(set(jobs) == {"tests", "compilers", "packages", "fresh"},
          f"{set(jobs)}")
    for name, job in jobs.items():
        steps = [step["run"] for step in job["steps"] if "run" in step]
        for text in steps:
            done = subprocess.run(["sh", "-n", "-c", text], check=False,
                                  capture_output=True, text=True)
            check(done.returncode == 0, f"{name}: {text}: {done.stderr}")
            program = text.split()[0]
            check("/" not in program or
                  os.access(os.path.join(TREE, program), os.X_OK),
                  f"{name}: there is no {program}")
        safe = ["safe.directory" in text for text in steps]
        bundles = [i for i, text in enumerate(steps)
                   if "fresh/fresh" in text or "soak package" in text]
        check(all(any(safe[:i]) for i in bundles),
              f"{name}: git would refuse the checkout")
        uploads = [step["with"]["path"] for step in job["steps"]
                   if "upload" in step.get("uses", "")]
        check(not uploads or "./run package" in steps,
              f"{name}: nothing makes {uploads}")


if __name__ == "__main__":
    sys.exit(run_cases(dict(globals())))
