//! Plain values that are stored beside what is ours, and passed along as they are.

/// A value in a stored record: what other modules have put there.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredValue {
    /// `true` or `false`
    Boolean(bool),
    /// A whole number
    Integer(i64),
    /// Any other number
    Number(f64),
    /// A string, which need not be text
    Text(Box<[u8]>),
    /// A table
    Table(StoredTable),
}

impl From<&str> for StoredValue {
    fn from(text: &str) -> Self {
        StoredValue::Text(text.as_bytes().into())
    }
}

/// The fields of a stored table, in no particular order.
pub type StoredTable = Vec<(StoredValue, StoredValue)>;
