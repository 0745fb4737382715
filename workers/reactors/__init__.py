"""What follows from what happened: facts in, work out. Never replayed; what they give back may be done twice."""
