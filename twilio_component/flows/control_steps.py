"""The steps that the interpreter carries out itself, by component and action."""

from __future__ import annotations

LOOP_OVER_ITEMS = "loop.loopOverItems"
LOOP_N_TIMES = "loop.loopNTimes"
BREAK_LOOP = "loop.breakLoop"
BRANCH_ON_VALUE = "branch.branchOnValue"
BRANCH_ON_EXPRESSION = "branch.branchOnExpression"
STOP_EXECUTION = "stop-execution.stopExecution"
SLEEP = "sleep.sleep"
INVOKE_FLOW = "cross-flow.invokeFlow"
PERSISTENCE = "persist-data"
SCHEDULE = "schedule-triggers.schedule"

LOOPS = frozenset({LOOP_OVER_ITEMS, LOOP_N_TIMES})
BRANCHES = frozenset({BRANCH_ON_VALUE, BRANCH_ON_EXPRESSION})
# JavaScript, in the inputs named here; it is not run.
JAVASCRIPT = {
    "code.runCode": "code",
    "collection-tools.map": "transformCodeInput",
    "collection-tools.filter": "filterCodeInput",
    "collection-tools.sort": "sortCodeInput",
    "collection-tools.aggregate": "filterCodeInput",
}
# What a durable or a mocking caller never sees as a call.
INTERPRETED = LOOPS | BRANCHES | {BREAK_LOOP, SLEEP, INVOKE_FLOW}

ELSE = "Else"
