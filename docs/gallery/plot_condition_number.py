r"""
condition_number: why polynomials are fitted in Chebyshev's basis
=================================================================

:func:`lipcore.condition_number` encloses the ratio of the largest to the smallest singular value, rigorously for a
matrix. Fitting a polynomial in the powers of x loses digits exponentially; in Chebyshev polynomials it loses none to
speak of.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

x = np.linspace(-1, 1, 200)
degrees = np.arange(1, 41)
bases = {
    "powers": np.polynomial.polynomial.polyvander,
    "Legendre": np.polynomial.legendre.legvander,
    "Chebyshev": np.polynomial.chebyshev.chebvander,
}
found = {name: [lc.condition_number(basis(x, int(degree))) for degree in degrees] for name, basis in bases.items()}
print(found["powers"][-1])

# %%
# Solid: what is proved from below; dots: what is proved from above. The last dots on the steep line are missing.
# There the matrix could not be told from a singular one in double precision, and the upper end is infinite rather
# than wrong.

fig, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
for name, bounds in found.items():
    (line,) = ax.semilogy(degrees, [b.lower for b in bounds], label=name)
    ax.semilogy(degrees, [b.upper if np.isfinite(b.upper) else np.nan for b in bounds], ".", color=line.get_color())
ax.set(xlabel="degree", ylabel="condition number")
ax.legend()
plt.show()
