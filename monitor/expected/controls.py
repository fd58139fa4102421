"""The standard's controls: what each demands, in our words, which checks test it, and what it answers to elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from monitor.expected.fields import Id, Text, shaped
from monitor.expected.load import read, validated
from monitor.expected.mistakes import Mistake, raised
from monitor.model import Expectation

Label = Annotated[str, shaped(r"[^\x00-\x1f]{1,200}", "is empty or too long; write the clause's id and a short label")]
CheckId = Annotated[str, shaped(r"[a-z0-9]+(-[a-z0-9]+)*", "is not a check's id; write it as direct-production-change")]


class References(Expectation):
    """Clauses of public frameworks that a control answers to: ids and short labels of our own, no text of theirs."""

    soc2: tuple[Label, ...] = Field(default=(), description="SOC 2 trust services criteria, as CC8.1")
    nist_800_53: tuple[Label, ...] = Field(default=(), description="NIST SP 800-53 revision 5 controls, as CM-3")
    iso_27001: tuple[Label, ...] = Field(default=(), description="ISO/IEC 27001:2022 clauses and Annex A controls")
    pci_dss: tuple[Label, ...] = Field(default=(), description="PCI DSS 4.0.1 requirements, as 6.5.1")
    slsa: tuple[Label, ...] = Field(default=(), description="SLSA tracks and levels")


class Control(Expectation):
    """One numbered clause of the standard."""

    id: Id = Field(description="The clause, as PS019-1.1")
    title: Text = Field(description="What it is about, in a few words")
    text: Text = Field(description="What it demands")
    checks: tuple[CheckId, ...] = Field(min_length=1, description="Checks that test it")
    references: References = Field(default=References(), description="What it answers to in public frameworks")


class Standard(Expectation):
    """The standard that the controls are clauses of."""

    id: Id = Field(description="Its number")
    title: Text = Field(description="Its title")


class Controls(Expectation):
    """The controls of the standard, in its order."""

    standard: Standard = Field(description="The standard that the controls are clauses of")
    controls: tuple[Control, ...] = Field(min_length=1, description="Its clauses")

    @field_validator("controls")
    @classmethod
    def _once(cls, controls: tuple[Control, ...]) -> tuple[Control, ...]:
        ids = [control.id for control in controls]
        if repeated := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"{', '.join(repeated)} is given more than once; each control may be given once")
        return controls

    def get(self, control: str) -> Control | None:
        """Return the control with this id, or None."""
        return next((one for one in self.controls if one.id == control), None)

    def tested_by(self, check: str) -> tuple[Control, ...]:
        """Return the controls that a check tests, in the standard's order."""
        return tuple(one for one in self.controls if check in one.checks)


def examine_controls(path: Path) -> tuple[Controls | None, str, tuple[Mistake, ...]]:
    """Return the controls in a file, the SHA-256 (hex) of its bytes, and what is wrong with it."""
    file = read(path, path.name)
    controls, mistakes = validated(Controls, file.document)
    return controls, file.sha256, mistakes


def load_controls(config: Path) -> Controls:
    """Return the controls in `controls.yaml` of the configuration's folder; raises ConfigError with every mistake."""
    controls, _, mistakes = examine_controls(config / "controls.yaml")
    if controls is None:
        raise raised(mistakes, config)
    return controls
