//! Elements put into vectors and taken out. Every call of what the standard library has for that names the
//! file and line it would panic in, which a page would load with the rest.

/// Takes out the element at a position, if there is one. Those after it move up.
pub(crate) fn take<T>(items: &mut Vec<T>, position: usize) -> Option<T> {
    (position < items.len()).then(|| items.remove(position))
}

/// Puts in an element before the one at a position, or at the end.
pub(crate) fn put<T>(items: &mut Vec<T>, position: usize, item: T) {
    items.insert(position.min(items.len()), item);
}

/// Cuts off the elements from a position on.
pub(crate) fn split<T>(items: &mut Vec<T>, position: usize) -> Vec<T> {
    items.split_off(position.min(items.len()))
}

/// Cuts off what lies after so many bytes of a text, if that is between two characters.
pub(crate) fn shorten(text: &mut String, length: usize) {
    if text.is_char_boundary(length) {
        text.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_can_be_taken_out() {
        let mut items = vec![1, 2];
        put(&mut items, 1, 3);
        put(&mut items, 9, 4);
        assert_eq!(items, [1, 3, 2, 4]);
        assert_eq!((take(&mut items, 1), take(&mut items, 3)), (Some(3), None));
        assert_eq!((split(&mut items, 2), split(&mut items, 9)), (vec![4], vec![]));
        assert_eq!(items, [1, 2]);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let mut text = "aé".to_owned();
        for (length, expected) in [(9, "aé"), (2, "aé"), (1, "a")] {
            shorten(&mut text, length);
            assert_eq!(text, expected);
        }
    }
}
