"""Solvers: iterations that find singular values and eigenvalues of operators from their products."""
