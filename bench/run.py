"""Measure everything: tables on standard output, JSON and plots in ``bench/results``.

    python bench/run.py [--parts ops extras steps engine program] [--mallopt] [--name NAME]

Takes some ten minutes on two cores; run it on a machine that does nothing else.
"""

from __future__ import annotations

import common
import engine_steps
import extras
import op_table
import plots
import train_step
import whole_program

from pyvae.benchmarking import machine_facts

PARTS = {
    "ops": (op_table.run,),
    "extras": extras.SECTIONS,
    "steps": (train_step.run,),
    "engine": (engine_steps.run,),
    "program": (whole_program.run,),
}


def main() -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    arguments = parser.parse_args()
    how = common.options(arguments)
    facts = machine_facts(malloc_raised=how.malloc_raised)
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    for name, why in how.leave_out.items():
        print(f"{name} is left out: {why}")
    print(flush=True)
    sections = []
    for part in arguments.parts:
        for measure in PARTS[part]:
            sections.append(measure(how))
            print(sections[-1], flush=True)
    path = common.report(arguments, how, sections)
    written = [path]
    for section in sections:
        if section.name == "ops":
            written.append(arguments.out / f"{arguments.name}_ops.png")
            plots.plot_ops(section.data, written[-1])
        if section.name == "steps":
            written.append(arguments.out / f"{arguments.name}_steps.png")
            plots.plot_steps(section.data, written[-1])
    print("written:", ", ".join(str(path) for path in written))


if __name__ == "__main__":
    main()
