def make_match_reference(reference, rtol=1e-5, atol=1e-8):
    def check(data, output):
        return output.allclose(reference(data), rtol=rtol, atol=atol), ""

    return check
