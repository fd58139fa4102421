"""All rules of escalation in AWS. Data only; `monitor/iam/escalation.py` evaluates them.

The rules are those of the public lists (Rhino Security Labs, Bishop Fox, PMapper, pathfinding.cloud, Prowler, cloudsplaining,
HackingTheCloud), by their actions and in our own words, with the address of each. Where a list has one entry a trigger, one
rule here names the triggers as alternatives.
"""

from __future__ import annotations

from monitor.iam.escalation_aws_compute import COMPUTE_RULES
from monitor.iam.escalation_aws_data import DATA_RULES
from monitor.iam.escalation_aws_iam import IAM_RULES
from monitor.iam.escalation_aws_running import RUNNING_RULES
from monitor.iam.escalation_rule import Rule

AWS_RULES: tuple[Rule, ...] = IAM_RULES + COMPUTE_RULES + DATA_RULES + RUNNING_RULES
"""The rules, in the order in which they are reported."""
