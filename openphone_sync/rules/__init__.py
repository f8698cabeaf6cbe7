"""The rules: pure functions over the values of `model`. No I/O of any kind."""
