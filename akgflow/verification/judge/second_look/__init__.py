"""What a candidate is asked once it was right on the stated shapes: other shapes, and the same without its kernels."""
