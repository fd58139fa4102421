"""The checks: one pure module each. A module's docstring is the control statement; its `CHECK` is how it is found."""
