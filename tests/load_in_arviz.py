"""Loads what `couplet sample` wrote, the way a user of ArviZ would: load_in_arviz.py STORE.zarr DRAWS.npz FILE.stan.csv"""
import sys

try:
    import arviz as az
    import numpy as np
    import xarray as xr
    import zarr  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

store, archive, stan = sys.argv[1:4]
# ArviZ 0.x reads zarr 2 itself and leaves zarr 3 to xarray.
idata = az.InferenceData.from_datatree(xr.open_datatree(store, engine="zarr", consolidated=False))
npz = np.load(archive)
sets, n, d = npz["draws"].shape
for group in ["posterior", "posterior_predictive", "observed_data", "sample_stats", "prior"]:
    assert hasattr(idata, group), group
for j, name in enumerate(npz["names"]):
    values = idata.posterior[str(name)]
    assert values.dims[:2] == ("chain", "draw") and values.shape == (1, n, sets), values
    assert np.array_equal(values.values[0].T, npz["draws"][:, :, j])
assert np.array_equal(idata.sample_stats["lp"].values[0].T, npz["log_density"])
assert np.array_equal(idata.observed_data["x"].values, npz["observed"])
assert idata.posterior_predictive["x"].dims == ("chain", "draw", "dataset", "x_dim")
summary = az.summary(idata, round_to=6)
assert abs(summary.loc["theta_1[0]", "mean"] - npz["draws"][0, :, 0].mean()) < 1e-4, summary
assert "theta_1" in az.from_cmdstan(stan).posterior
print("loaded")
