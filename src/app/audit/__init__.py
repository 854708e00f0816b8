"""Who did what to whom, when and from where: written in the transaction of each change."""
