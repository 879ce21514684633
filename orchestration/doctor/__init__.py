"""`elt doctor`: checks of everything that a run needs. Each names what it saw and what to do."""
