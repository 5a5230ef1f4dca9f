"""Model providers behind one gateway; litellm is imported in one module, when a real provider is called."""
