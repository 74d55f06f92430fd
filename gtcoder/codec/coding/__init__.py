"""How numbers become codes: quantile bins, or Gaussian modes."""
