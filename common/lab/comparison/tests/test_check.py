"""The checker of predictions, as a student and a grader call it."""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAB = HERE.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(LAB))

import check  # noqa: E402

RIGHT = (HERE / "predictions.toml").read_text()

COLUMNS = ("status requests ok bytes wall_s ideal_s requests_s pss "
           "served").split()

# workload, jobs, program: rounds of (requests, ok, bytes, wall, rate, pss,
# served)
RUNS = [
    ("latency", 1, "evloop", [(20, 20, 2000, 2.02, 9.9, 900e3, 20)]),
    ("latency", 10, "evloop", [(200, 200, 2e4, 2.0, 99, 950e3, 200),
                               (200, 200, 2e4, 2.1, 95, 950e3, 200),
                               (200, 200, 2e4, 9.9, 20, 950e3, 200)]),
    ("latency", 100, "threads", [(300, 300, 3e4, 0.33, 909, 2e6, 300),
                                 (300, 200, 2e4, 0.01, 20, 2e6, 200)]),
    ("latency", 1000, "evloop", [(2000, 2000, 2e5, 0.3, 6666, 4.8972e6,
                                  2000)]),
    ("crash", 16, "processes", [(2000, 2000, 4e7, 1.5, 1333, 4e6, 2030)]),
    ("crash", 16, "threads", [(2000, 64, 1e6, 0.05, 1280, 1e6, 80)]),
    ("slow-sink", 16, "threads", [(4, 4, 4 * (8 << 20), 0.84, 4.7, 2.8e6,
                                   4)]),
]


def results_text():
    lines = ["# triptych-bench 0.1.0", "\t".join(
        ["workload", "jobs", "program", "round", *COLUMNS])]
    for workload, jobs, program, rounds in RUNS:
        for i, (n, ok, size, wall, rate, pss, served) in enumerate(rounds, 1):
            cells = [workload, jobs, program, i, 0, n, ok, size, wall, "-",
                     rate, pss, served]
            lines.append("\t".join(str(c) for c in cells))
    return "\n".join(lines) + "\n"


class Checker(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def call(self, *arguments, program=LAB / "check.py"):
        done = subprocess.run(
            [sys.executable, program, self.folder, *arguments],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done

    def put(self, text, results=None):
        (self.folder / "predictions.toml").write_text(text)
        if results is not None:
            (self.folder / "results.tsv").write_text(results)

    def grade(self, text, results=None):
        self.put(text, results)
        tests, self.note = check.tests_of(self.folder,
                                          self.folder / "results.tsv")
        return {t["name"]: t for t in tests}

    def changed(self, old, new, name):
        """The right predictions with one change: the test `name`, which
        alone must fail."""
        self.assertIn(old, RIGHT)
        tests = self.grade(RIGHT.replace(old, new, 1))
        failed = [n for n, t in tests.items() if not t["passed"]]
        self.assertEqual(failed, [name])
        for key in ("observed", "means", "look"):
            self.assertTrue(tests[name][key], f"{key} is empty")
        self.assertIn(name, tests[name]["look"])
        return tests[name]["observed"]

    def test_right_predictions_pass(self):
        tests = self.grade(RIGHT)
        self.assertTrue(all(t["passed"] for t in tests.values()), tests)
        self.assertEqual(sum(t["points"] for t in tests.values()), 100)
        lab = tomllib.loads((LAB / "lab.toml").read_text())
        self.assertEqual({t["part"] for t in tests.values()},
                         {p["name"] for p in lab["part"]})

    def test_the_template_has_all_questions_and_no_answer(self):
        text = (LAB / "predictions.toml").read_text()
        tests = self.grade(text)
        self.assertEqual(set(tomllib.loads(text)), set(tests))
        for test in tests.values():
            self.assertFalse(test["passed"])
            self.assertIn("not been predicted", test["means"])

    def test_wrong_arithmetic(self):
        said = self.changed('result = "2 s"', 'result = "2 ms"', "wall_100")
        self.assertIn("2 s", said)
        self.assertIn("2 ms", said)
        self.changed('result = "894 ms"', 'result = "0.92 s"', "wall_tail")
        self.changed('result = "196 MiB"', 'result = "196 MB"',
                     "memory_processes")

    def test_rounded_results_pass(self):
        tests = self.grade(RIGHT.replace('"894 ms"', '"0.89 s"')
                           .replace('"4.44e3"', '"4,440"'))
        self.assertTrue(all(t["passed"] for t in tests.values()))

    def test_wrong_units(self):
        self.assertIn("a number", self.changed(
            'result = "100 requests/s"', "result = 100", "rate_10"))
        self.assertIn("no unit", self.changed(
            'delay = "0.1 s"', 'delay = "0.1 sec"', "in_flight_2500"))
        self.assertIn("cannot be added", self.changed(
            'more = "1 MiB"', 'more = "1 s"', "bound_slow_sink"))
        self.assertIn("not a time", self.changed(
            'cpu = "35 us"', "cpu = 35", "knee_threads"))

    def test_a_comma_is_no_decimal_point(self):
        self.changed('result = "2 s"', 'result = "2,0 s"', "wall_100")
        self.changed('requests = "2,000"', 'requests = "2,0"', "wall_100")

    def test_wrong_laws(self):
        said = self.changed('formula = "in_flight / delay"\nresult = '
                            '"100 requests/s"',
                            'formula = "1 / delay"\nresult = "10 /s"',
                            "rate_10")
        self.assertIn("no answer", said)
        self.changed('formula = "ceil(requests / in_flight) * delay"\n'
                     'result = "2.1 s"',
                     'formula = "requests / in_flight * delay"\n'
                     'result = "2.05 s"', "wall_2050")
        self.changed('"max(requests / in_flight * delay, requests * cpu / '
                     'cores)"\nresult = "0.45 s"',
                     '"requests / in_flight * delay"\nresult = "200 ms"',
                     "past_the_knee")
        self.changed('result = "4550"\ninputs = {cores = "1 core"',
                     'result = "9090"\ninputs = {cores = "2 cores"',
                     "knee_evloop")
        self.changed('"base + connections * pages"\nresult = "196 MiB"',
                     '"base + pages"\nresult = "1044 KiB"',
                     "memory_processes")

    def test_a_student_has_no_laws(self):
        copy = self.folder / "copy"
        copy.mkdir()
        for path in LAB.iterdir():
            if path.is_file():
                shutil.copy(path, copy)
        text = RIGHT.replace('formula = "in_flight / delay"\nresult = '
                             '"100 requests/s"',
                             'formula = "1 / delay"\nresult = "10 /s"')
        self.put(text)
        shutil.copy(LAB.parents[2] / "tests/lab/triptych_lab/toml_reader.py",
                    copy)  # as `new` does
        done = self.call(program=copy / "check.py")
        self.assertIn("ok   rate_10", done.stdout)
        self.assertIn("the grader says", done.stdout)
        self.assertEqual(done.returncode, 0)

    def test_as_a_program(self):
        for text, status in ((RIGHT, 0), ("", 1)):
            tests = self.grade(text)
            done = self.call("--json")
            self.assertEqual(done.returncode, status)
            self.assertEqual(json.loads(done.stdout)["tests"],
                             list(tests.values()))
            self.assertEqual(self.call().returncode, status)

    def test_compares_with_what_was_measured(self):
        tests = self.grade(RIGHT, results_text())
        self.assertTrue(all(t["passed"] for t in tests.values()))
        said = {n: t["observed"] for n, t in tests.items()}
        # The median of three rounds.
        self.assertIn("evloop: predicted 100 /s, measured 95 /s (-5 %)",
                      said["rate_10"])
        self.assertIn("processes: not measured", said["rate_10"])
        # With --quick there are 300 requests; a run that failed has no time.
        self.assertIn("threads: predicted 300 ms, measured 330 ms (+10 %)",
                      said["wall_100"])
        self.assertIn("measured 667", said["knee_evloop"])
        self.assertIn("each connection: predicted 3 KiB, measured 3.91 KiB",
                      said["memory_evloop"])
        self.assertIn("predicted 839 ms, measured 840 ms",
                      said["wall_slow_sink"])
        self.assertIn("measured 64 (-20 %)", said["done_before_crash"])
        self.assertIn("measured 30 (+20 %)", said["done_again"])
        text = self.call().stdout
        self.assertIn("16 of 16 predictions", text)
        self.assertIn("(+10 %)", text)

    def test_speed_is_not_judged(self):
        slow = results_text().replace("\t0.33\t", "\t99.0\t")
        tests = self.grade(RIGHT, slow)
        self.assertTrue(tests["wall_100"]["passed"])
        self.assertIn("330 times as much", tests["wall_100"]["observed"])

    def test_what_is_no_results_file(self):
        for text in ("", "hello\n", "workload\tjobs\tprogram\tround\nx\n"):
            tests = self.grade(RIGHT, text)
            self.assertTrue(all(t["passed"] for t in tests.values()))
            self.assertIn("cannot be read", self.note)

    def test_what_is_no_predictions_file(self):
        for text in ("[", "a = 1\n", "rate_10 = 3\n", "\0", "[rate_10]\n"
                     "inputs = 3\n", "[rate_10]\nformula = 3\n", "[" * 9000):
            tests = self.grade(text)
            self.assertFalse(any(t["passed"] for t in tests.values()))
            self.assertTrue(all(t["observed"] and t["means"] and t["look"]
                                for t in tests.values()), text[:20])
        (self.folder / "predictions.toml").unlink()
        self.assertIn("no file", self.call().stdout)

    def test_hostile_formulas(self):
        for bad in ("9 ** 9 ** 9", "__import__('os')", "delay.real",
                    "in_flight / 0", "in_flight / (delay - delay)", "(" * 250,
                    "in_flight * " * 30 + "1" + "0" * 400, "lambda: 1", "'a'",
                    "ceil(delay)", "min(in_flight)", "in_flight if 1 else 2",
                    "1e308 * 1e308 / delay", "[1][0]", "True"):
            self.changed('formula = "in_flight / delay"',
                         f'formula = "{bad}"', "rate_10")
        for bad in ("nan", "inf", "1" + "0" * 400, "true", '"1e999"', "[]",
                    '"' + "1/s" * 99 + '"', '"--1"', '"1 s/"'):
            self.changed("inputs = {in_flight = 10,",
                         f"inputs = {{in_flight = {bad},", "rate_10")
        self.changed('"base + connections * pages"',
                     '"base + connections / (connections - 20000) * pages"',
                     "memory_processes")

    def test_called_wrongly(self):
        done = subprocess.run([sys.executable, LAB / "check.py"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
