"""The data set: prepared and checked, and a small one rendered in its layout."""
