//! What a message changes of an earlier one, and the ids by which messages refer to each other.
