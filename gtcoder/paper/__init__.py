"""The paper's experiments: its data sets, and the methods it is compared with."""
