"""What cuts a translation short: the verdict on an activity that claims nothing we could settle."""


class Unfit(Exception):
    """Raised inside the translator and caught by it; `verdict` is a fact's ("refused: …", "not understood: …")."""

    def __init__(self, verdict: str) -> None:
        super().__init__(verdict)
        self.verdict = verdict
