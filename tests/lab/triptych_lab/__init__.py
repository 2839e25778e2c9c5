"""triptych-lab: labs cut from the source, and graders proven by mistakes."""
