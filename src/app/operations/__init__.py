"""What operators look at in the running application, and what they can do about it."""
