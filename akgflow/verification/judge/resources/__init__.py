"""What a judgement takes of the machine: planned before it starts, watched while it runs."""
