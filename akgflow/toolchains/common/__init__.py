"""What several toolchains use: where compilers are, what they say, and how host code is redirected."""
