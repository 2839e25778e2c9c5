"""What ./run bench has measured: medians from its results.tsv."""

from statistics import median

MODELS = ("threads", "processes", "evloop")
MOST = 10_000_000  # bytes of a file that is read


class Results:
    def __init__(self, rows):
        self.rows = rows

    def runs(self, workload, program, jobs=None):
        return [r for r in self.rows
                if r["workload"] == workload and r["program"] == program
                and (jobs is None or r["jobs"] == jobs)]

    def median(self, column, workload, program, jobs=None):
        """Over all rounds; None where nothing was measured. A run that
        failed has no times (in `crash`, all that counts is what was done)."""
        values = [r[column] for r in self.runs(workload, program, jobs)
                  if r[column] is not None
                  and (workload == "crash" or r["ok"] == r["requests"])]
        return median(values) if values else None

    def jobs(self, workload, program):
        return sorted({r["jobs"] for r in self.runs(workload, program)})


def read(path):
    """The rows of a results.tsv. ValueError when it is something else."""
    if path.stat().st_size > MOST:
        raise ValueError("it is too long")
    lines = [line for line in path.read_text().splitlines()
             if not line.startswith("# ")]
    names = lines[0].split("\t") if lines else []
    if names[:4] != ["workload", "jobs", "program", "round"]:
        raise ValueError("it does not begin as triptych-bench writes it")
    rows = []
    for line in lines[1:]:
        cells = line.split("\t")
        if len(cells) != len(names):
            raise ValueError("a line has too few or too many columns")
        row = {n: None if c == "-" else float(c)
               for n, c in zip(names, cells)
               if n not in ("workload", "program")}
        rows.append(dict(row, workload=cells[0], program=cells[2]))
    return Results(rows)


# --- What is compared with a prediction: value, and facts of the run --------

def rate(results, workload, jobs, program):
    return results.median("requests_s", workload, program, jobs)


def wall(results, workload, jobs, program):
    return results.median("wall_s", workload, program, jobs)


def knee(results, program, delay):
    """Where the two asymptotes meet: the highest rate of the sweep, times the
    delay."""
    rates = [rate(results, "latency", jobs, program)
             for jobs in results.jobs("latency", program)]
    rates = [r for r in rates if r is not None]
    return max(rates) * delay if len(rates) > 1 else None


def memory(results, program):
    return results.median("pss", "c10k", program)


def memory_each(results, program):
    """Bytes a connection: the slope between one in flight and the most."""
    jobs = results.jobs("latency", program)
    sizes = {j: results.median("pss", "latency", program, j) for j in jobs}
    sizes = {j: s for j, s in sizes.items() if s is not None}
    if len(sizes) < 2:
        return None
    few, many = min(sizes), max(sizes)
    return (sizes[many] - sizes[few]) / (many - few)


def fact(results, column, workload, program, jobs=None):
    return results.median(column, workload, program, jobs)
