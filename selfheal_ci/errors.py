"""What users read when something breaks: what happened, to what, and what to do next."""

from __future__ import annotations


class SelfhealError(Exception):
    """Something of ours, or something we need, broke. A command that fails is never one of these."""

    exit_code = 7

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(SelfhealError):
    """The command line, the configuration or a revision is wrong."""

    exit_code = 2


class ArtifactError(SelfhealError):
    """The output folder is not what `heal` wrote."""

    exit_code = 2


class NothingToPublishError(SelfhealError):
    """The healing is not a healed one."""

    exit_code = 1


class TargetMovedError(SelfhealError):
    """The patched files are not the same any more on the branch that gets the fix."""

    exit_code = 1


class PolicyError(SelfhealError):
    """A patch touches what no fix may touch."""

    exit_code = 5


class EngineError(SelfhealError):
    """The engine cannot start, or broke in the middle."""


class ForgeError(SelfhealError):
    """The remote refused, or did not answer."""


class UnwellError(ForgeError):
    """The forge did not answer this time: what was asked may be done or not. `wait`: how long it asks to be left alone."""

    def __init__(self, message: str, *, hint: str = "", wait: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.wait = wait


class AccessError(ForgeError):
    """The token is missing, refused, or lacks a right."""

    exit_code = 2


class LedgerError(SelfhealError):
    """The ledger broke after it was opened."""


class ToolError(SelfhealError):
    """A program we need is missing or broke."""


class MachineError(SelfhealError):
    """The machine refused something that nobody could foresee: a disk is full, memory gave out, a right is missing."""

    def __init__(self, refused: OSError) -> None:
        where = f"{refused.filename}: " if refused.filename else ""
        hint = "see to the disk, the memory and the rights here, then run again: what was done is found again"
        super().__init__(f"{where}{refused.strerror or refused}", hint=hint)


class ReportError(SelfhealError):
    """A report cannot be read; the output is read instead."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class OutOfTimeError(SelfhealError):
    """The healing's own time is over."""

    exit_code = 6
